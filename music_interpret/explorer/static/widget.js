// The notebook's cards: a latent with its name, statistics and examples, or a whole piece, of the widget's own data.

import { h } from "./views/dom.js";
import { exampleGroups } from "./views/examples.js";
import { nameOfFeature, scoreLines } from "./views/name.js";
import { legend } from "./views/roll/legend.js";
import { PianoRoll } from "./views/roll/roll.js";
import { adoptStyle } from "./views/roll/style.js";
import { statisticsInWords } from "./views/statistics.js";

/** @import { Feature, Roll } from "./views/shapes" */

/**
 * @typedef {{feature: Feature, sounds: Record<string, string>}} LatentData
 * @typedef {{roll: Roll, values: number[] | null, max: number | null, title: string, sound: string | null}} SongData
 * @typedef {{get(name: string): string, on(name: string, call: () => void): void, off(name: string, call: () => void): void}} Model
 */

/** @param {string} sound in base64. */
const soundData = (sound) => `data:audio/ogg;base64,${sound}`;

/** Both views return what lets go of them. @param {HTMLElement} box @param {LatentData} data */
function drawLatent(box, { feature, sounds }) {
  box.append(
    h("div", { class: "mi-widget-title" }, `${feature.latent} · ${nameOfFeature(feature).words}`),
    ...scoreLines(feature.described).map((line) => h("div", { class: "mi-card-more" }, line)),
  );
  if (!feature.live) return () => {};
  const soundUrl = (/** @type {string} */ address) => (sounds[address] ? soundData(sounds[address]) : null);
  const groups = exampleGroups(feature, { soundUrl });
  box.append(h("div", { class: "mi-card-more" }, statisticsInWords(feature.statistics)), groups.legend, groups.element);
  return groups.destroy;
}

/** @param {HTMLElement} box @param {SongData} data */
function drawSong(box, { roll, values, max, title, sound }) {
  box.append(h("div", { class: "mi-widget-title" }, title));
  if (values && max !== null) box.append(legend(max));
  const place = h("div");
  box.append(place);
  const drawn = new PianoRoll(place, roll, { values, maxValue: max ?? undefined, pixelsPerBeat: 28 });
  if (sound) {
    const audio = h("audio", { class: "mi-widget-audio", controls: true, src: soundData(sound) });
    box.append(audio);
    drawn.follow(audio);
  }
  return () => drawn.destroy();
}

/** @param {{model: Model, el: HTMLElement}} what */
function render({ model, el }) {
  let destroy = () => {};
  const draw = () => {
    destroy();
    adoptStyle(el);
    const box = h("div", { class: "mi-widget" });
    el.replaceChildren(box);
    const data = JSON.parse(model.get("data"));
    destroy = data.feature ? drawLatent(box, data) : drawSong(box, data);
  };
  model.on("change:data", draw);
  draw();
  return () => {
    model.off("change:data", draw);
    destroy();
  };
}

export default { render };
