// Under the roll, in step with it: a track for each chosen latent, and a strip for each chosen concept.

import { cssColour, fill, h } from "../dom.js";
import { dot, isDark, stripColours } from "../groups.js";
import { colourOf } from "../pianoroll.js";
import { onTheme } from "../theme.js";
import { fixed } from "../words.js";

const TRACK = 34;
const STRIP = 22;

export class Strips {
  /** @param {{latents, onFocus, onRemoveTrack, onRemoveConcept}} does */
  constructor(song, does) {
    Object.assign(this, { song, does });
    this.rows = [];
    this.element = h("div", { class: "strips" });
    this.stopTheme = onTheme(() => this.draw());
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
    const { onset, pitch } = song.roll.notes;
    this.order = [...onset.keys()].sort((a, b) => onset[a] - onset[b] || pitch[b] - pitch[a]);
  }

  attach(roll) {
    this.roll = roll;
    this.draw();
  }

  wait() {
    this.element.setAttribute("aria-busy", "true");
  }

  fail(message) {
    this.element.removeAttribute("aria-busy");
    this.rows = [];
    fill(this.element, h("p", { class: "failed", role: "alert" }, message));
  }

  show(tracks, strips, focused) {
    this.element.removeAttribute("aria-busy");
    this.rows = [
      ...tracks.filter(Boolean).map((track) => this.track(track, track.latent === focused)),
      ...strips.map((strip) => this.strip(strip)),
    ];
    fill(
      this.element,
      this.rows.map((row) => row.element),
    );
    this.draw();
  }

  track(track, focused) {
    const { latents } = this.does;
    const i = latents.place.get(track.latent);
    const name = latents.label[i] ? `“${latents.label[i]}”` : (track.name ?? "no name");
    const { token } = this.song.roll.notes;
    const firing = this.order.filter((note) => track.values[token[note]] > 0);
    track.order = firing.sort((a, b) => track.values[token[a]] - track.values[token[b]]);
    const here = h("span", { class: "here number" });
    const choose = h("input", {
      type: "radio",
      name: "focused",
      checked: focused,
      id: `track-${track.latent}`,
      onchange: () => this.does.onFocus(track.latent),
    });
    const head = h(
      "div",
      { class: "strip-head" },
      h("label", { for: `track-${track.latent}`, title: "colour the notes by this latent" }, choose, " colour"),
      dot(latents.groupOf(i)),
      h("a", { href: `/feature/${track.latent}` }, h("span", { class: "number" }, `${track.latent} `), name),
      here,
      h(
        "button",
        {
          type: "button",
          class: "icon",
          "aria-label": `Remove track of latent ${track.latent}`,
          title: "Remove",
          onclick: () => this.does.onRemoveTrack(track.latent),
        },
        "×",
      ),
    );
    return this.made(
      head,
      `Track of latent ${track.latent} along the piece`,
      TRACK,
      here,
      (token) => (track.values[token] ? fixed(track.values[token]) : "off"),
      (context, width) => this.drawTrack(context, width, track),
      "track",
    );
  }

  strip(strip) {
    const here = h("span", { class: "here" });
    const used = [...new Set(this.song.roll.notes.token.map((token) => strip.codes[token]))]
      .filter((code) => code > 0)
      .sort((a, b) => a - b);
    const place = new Map(used.map((code, i) => [code, i]));
    const keys = h(
      "span",
      { class: "strip-key" },
      used.map((code) => h("span", {}, h("i", { "data-colour": place.get(code) }), strip.words[code])),
    );
    const head = h(
      "div",
      { class: "strip-head" },
      h("strong", {}, strip.name),
      here,
      h(
        "button",
        {
          type: "button",
          class: "icon",
          "aria-label": `Remove ${strip.name}`,
          title: "Remove",
          onclick: () => this.does.onRemoveConcept(strip.name),
        },
        "×",
      ),
      keys,
    );
    return this.made(
      head,
      `${strip.name} along the piece`,
      STRIP,
      here,
      (token) => strip.words[strip.codes[token]] || "–",
      (context, width) => this.drawStrip(context, width, strip, place, keys),
      "concept",
    );
  }

  made(head, label, height, here, say, draw, kind) {
    const canvas = h("canvas", { role: "img", "aria-label": label, style: { height: `${height}px` } });
    canvas.addEventListener("pointermove", (event) => {
      const note = this.noteAt(event.offsetX);
      this.mark(note);
    });
    canvas.addEventListener("pointerleave", () => this.mark(null));
    return { element: h("div", { class: `strip ${kind}` }, head, canvas), canvas, height, here, say, draw };
  }

  noteAt(x) {
    const { onset, duration } = this.song.roll.notes;
    return (
      this.order.find((note) => this.roll.xOf(onset[note]) <= x && this.roll.xOf(onset[note] + duration[note]) > x) ??
      null
    );
  }

  /** Say each row's value at a note. */
  mark(note) {
    for (const row of this.rows) row.here.textContent = note === null ? "" : row.say(this.song.roll.notes.token[note]);
  }

  draw() {
    if (!this.roll?.geometry) return;
    const dense = window.devicePixelRatio || 1;
    for (const { canvas, height, draw } of this.rows) {
      const width = canvas.clientWidth;
      if (!width) continue;
      const [wide, tall] = [Math.round(width * dense), height * dense];
      if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
      const context = canvas.getContext("2d");
      context.setTransform(dense, 0, 0, dense, 0, 0);
      context.clearRect(0, 0, width, height);
      context.save();
      const left = this.roll.xOf(this.song.roll.start) + this.roll.scroller.scrollLeft;
      context.beginPath();
      context.rect(left, 0, width - left, height);
      context.clip();
      this.bars(context, height);
      draw(context, width);
      context.restore();
    }
  }

  bars(context, height) {
    context.fillStyle = cssColour("--mi-line");
    for (const step of this.song.roll.bars) context.fillRect(Math.round(this.roll.xOf(step)), 0, 1, height);
  }

  drawTrack(context, width, track) {
    const { onset, duration, token } = this.song.roll.notes;
    const theme = isDark() ? "dark" : "light";
    for (const note of track.order) {
      const value = track.values[token[note]];
      const x = this.roll.xOf(onset[note]);
      const wide = Math.max(2, this.roll.xOf(onset[note] + duration[note]) - x - 1);
      if (x > width || x + wide < 0) continue;
      const share = Math.min(1, value / track.max);
      context.fillStyle = colourOf(share, theme);
      context.fillRect(x, TRACK - 1 - share * (TRACK - 3), wide, share * (TRACK - 3));
    }
    context.fillStyle = cssColour("--mi-line");
    context.fillRect(0, TRACK - 1, width, 1);
  }

  /** Notes that start together share their place, the highest above. */
  drawStrip(context, width, strip, place, keys) {
    const { onset, token } = this.song.roll.notes;
    const colours = stripColours();
    for (const key of keys.querySelectorAll("i")) key.style.background = shade(colours, Number(key.dataset.colour));
    for (let first = 0; first < this.order.length; ) {
      const step = onset[this.order[first]];
      let next = first;
      while (next < this.order.length && onset[this.order[next]] === step) next++;
      const x = this.roll.xOf(step);
      const to = next < this.order.length ? this.roll.xOf(onset[this.order[next]]) : this.roll.xOf(this.song.roll.end);
      if (x < width && to > 0) {
        const tall = STRIP / (next - first);
        this.order.slice(first, next).forEach((note, row) => {
          const code = strip.codes[token[note]];
          if (!code) return;
          context.fillStyle = shade(colours, place.get(code));
          context.fillRect(x, row * tall, Math.max(1, to - x - 1), Math.max(1, tall - (tall > 4 ? 0.5 : 0)));
        });
      }
      first = next;
    }
  }

  destroy() {
    this.stopTheme();
    this.watcher.disconnect();
  }
}

/** The palette, then the same more faintly for concepts of many values. */
function shade(colours, i) {
  const colour = colours[i % colours.length];
  const times = Math.floor(i / colours.length);
  return times === 0
    ? colour
    : `color-mix(in srgb, ${colour} ${times === 1 ? 55 : 30}%, ${isDark() ? "#ffffff" : "#000000"})`;
}
