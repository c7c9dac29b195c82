// The notebook's cards: a latent with its name, statistics and examples, or a whole piece, of the widget's own data.

import { excerptCard, legend, PianoRoll } from "./pianoroll.js";
import { make } from "./roll/elements.js";
import { adoptStyle } from "./roll/style.js";
import { number } from "./roll/words.js";

function soundUrlOf(sounds) {
  return (address) => (sounds[address] ? `data:audio/ogg;base64,${sounds[address]}` : null);
}

function latent(parent, { feature, sounds }) {
  const { name, statistics } = feature;
  const title =
    name?.name ?? (name?.rule ? `no name; the nearest is: ${name.rule}` : feature.live ? "no name" : "dead");
  make("div", "mi-widget-title", parent, `${feature.latent} · ${title}`);
  for (const line of feature.described.split("\n").slice(1)) make("div", "mi-card-more", parent, line.trim());
  if (!feature.live) return;
  const share = (100 * statistics.density).toPrecision(2);
  const words = `fires on ${share} % of tokens, in ${statistics.n_songs} songs; at most ${number(statistics.max)}`;
  make("div", "mi-card-more", parent, words);
  legend(parent, statistics.max);
  for (const group of feature.examples) {
    make("div", "mi-widget-group", parent, group.title).title = group.help;
    const grid = make("div", "mi-widget-grid", parent);
    for (const excerpt of group.excerpts) {
      grid.append(excerptCard(excerpt, { maxValue: statistics.max, soundUrl: soundUrlOf(sounds) }));
    }
  }
}

function song(parent, { roll, values, max, title, sound }) {
  make("div", "mi-widget-title", parent, title);
  if (values) legend(parent, max);
  const place = make("div", "", parent);
  const drawn = new PianoRoll(place, roll, { values, maxValue: max ?? undefined, pixelsPerBeat: 28 });
  if (!sound) return;
  const audio = make("audio", "mi-widget-audio", parent);
  audio.controls = true;
  audio.src = `data:audio/ogg;base64,${sound}`;
  drawn.follow(audio);
}

function render({ model, el }) {
  const draw = () => {
    adoptStyle(el);
    const box = make("div", "mi-widget");
    el.replaceChildren(box);
    const data = JSON.parse(model.get("data"));
    if (data.feature) latent(box, data);
    else song(box, data);
  };
  model.on("change:data", draw);
  draw();
  return () => model.off("change:data", draw);
}

export default { render };
