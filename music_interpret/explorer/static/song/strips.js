// Under the roll, in step with it: a track for each chosen latent, and a strip for each chosen concept.

import { cssColour, fill, h } from "../views/dom.js";
import { dot, stripColours } from "../views/groups.js";
import { colourOf } from "../views/pianoroll.js";
import { onThemeChange, themeOf } from "../views/theme.js";
import { fixed } from "../views/words.js";

/** @import { Latents } from "../latents.js" */
/** @import { Song, Strip, Track } from "../types" */
/** @import { PianoRoll } from "../views/pianoroll.js" */
/** @import { Theme } from "../views/types" */

/** @typedef {CanvasRenderingContext2D} Context */
/**
 * @typedef {object} Row
 * @property {HTMLElement} element
 * @property {HTMLCanvasElement} canvas
 * @property {number} height
 * @property {HTMLElement} here where its value at a note is said.
 * @property {(token: number) => string} say
 * @property {(context: Context, width: number, roll: PianoRoll) => void} draw
 */

const TRACK = 34;
const STRIP = 22;

export class Strips {
  /**
   * @param {Song} song
   * @param {Latents} latents
   * @param {{
   *   onFocus(latent: number): void,
   *   onRemoveTrack(latent: number): void,
   *   onRemoveConcept(name: string): void,
   * }} does
   */
  constructor(song, latents, does) {
    this.song = song;
    this.latents = latents;
    this.does = does;
    /** @type {PianoRoll | null} */
    this.roll = null;
    /** @type {Row[]} */
    this.rows = [];
    this.element = h("div", { class: "strips" });
    this.stopTheme = onThemeChange(this, (strips) => strips.draw());
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
    const { onset, pitch } = song.roll.notes;
    this.order = [...onset.keys()].sort((a, b) => onset[a] - onset[b] || pitch[b] - pitch[a]);
  }

  /** @param {PianoRoll} roll */
  attach(roll) {
    this.roll = roll;
    this.draw();
  }

  wait() {
    this.element.setAttribute("aria-busy", "true");
  }

  /** @param {string} message */
  fail(message) {
    this.element.removeAttribute("aria-busy");
    this.rows = [];
    fill(this.element, h("p", { class: "failed", role: "alert" }, message));
  }

  /** @param {Track[]} tracks @param {Strip[]} strips @param {number | null} focused */
  show(tracks, strips, focused) {
    this.element.removeAttribute("aria-busy");
    this.rows = [
      ...tracks.map((track) => this.track(track, track.latent === focused)),
      ...strips.map((strip) => this.strip(strip)),
    ];
    fill(
      this.element,
      this.rows.map((row) => row.element),
    );
    this.draw();
  }

  /** @param {Track} track @param {boolean} focused @returns {Row} */
  track(track, focused) {
    const { latents } = this;
    const i = latents.place.get(track.latent) ?? 0;
    const name = latents.label[i] ? `“${latents.label[i]}”` : (track.name ?? "no name");
    const { token } = this.song.roll.notes;
    const firing = this.order.filter((note) => track.values[token[note]] > 0);
    const order = firing.sort((a, b) => track.values[token[a]] - track.values[token[b]]);
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
    const canvas = this.canvas(`Track of latent ${track.latent} along the piece`, TRACK);
    return {
      element: h("div", { class: "strip track" }, head, canvas),
      canvas,
      height: TRACK,
      here,
      say: (token) => (track.values[token] ? fixed(track.values[token]) : "off"),
      draw: (context, width, roll) => this.drawTrack(context, width, roll, track, order),
    };
  }

  /** @param {Strip} strip @returns {Row} */
  strip(strip) {
    const here = h("span", { class: "here" });
    const used = [...new Set(this.song.roll.notes.token.map((token) => strip.codes[token]))]
      .filter((code) => code > 0)
      .sort((a, b) => a - b);
    const swatches = used.map(() => h("i"));
    const keys = used.map((code, i) => h("span", {}, swatches[i], strip.words[code]));
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
      h("span", { class: "strip-key" }, keys),
    );
    const canvas = this.canvas(`${strip.name} along the piece`, STRIP);
    return {
      element: h("div", { class: "strip concept" }, head, canvas),
      canvas,
      height: STRIP,
      here,
      say: (token) => strip.words[strip.codes[token]] || "–",
      draw: (context, width, roll) => {
        const theme = themeOf(this.element);
        for (const [i, swatch] of swatches.entries()) swatch.style.background = shade(i, theme);
        this.drawStrip(context, width, roll, strip, (code) => shade(used.indexOf(code), theme));
      },
    };
  }

  /** @param {string} label @param {number} height */
  canvas(label, height) {
    const canvas = h("canvas", { role: "img", "aria-label": label, style: { height: `${height}px` } });
    canvas.addEventListener("pointermove", (event) => {
      const note = this.noteAt(event.offsetX);
      this.mark(note);
    });
    canvas.addEventListener("pointerleave", () => this.mark(null));
    return canvas;
  }

  /** @param {number} x */
  noteAt(x) {
    const { roll } = this;
    const { onset, duration } = this.song.roll.notes;
    if (!roll) return null;
    return this.order.find((note) => roll.xOf(onset[note]) <= x && roll.xOf(onset[note] + duration[note]) > x) ?? null;
  }

  /** Say each row's value at a note. @param {number | null} note */
  mark(note) {
    for (const row of this.rows) row.here.textContent = note === null ? "" : row.say(this.song.roll.notes.token[note]);
  }

  draw() {
    const { roll } = this;
    if (!roll?.geometry) return;
    const dense = window.devicePixelRatio || 1;
    for (const { canvas, height, draw } of this.rows) {
      const width = canvas.clientWidth;
      if (!width) continue;
      const [wide, tall] = [Math.round(width * dense), height * dense];
      if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
      const context = canvas.getContext("2d");
      if (!context) continue;
      context.setTransform(dense, 0, 0, dense, 0, 0);
      context.clearRect(0, 0, width, height);
      context.save();
      const left = roll.xOf(this.song.roll.start) + roll.scroller.scrollLeft;
      context.beginPath();
      context.rect(left, 0, width - left, height);
      context.clip();
      context.fillStyle = cssColour("--mi-line");
      for (const step of this.song.roll.bars) context.fillRect(Math.round(roll.xOf(step)), 0, 1, height);
      draw(context, width, roll);
      context.restore();
    }
  }

  /**
   * @param {Context} context
   * @param {number} width
   * @param {PianoRoll} roll
   * @param {Track} track
   * @param {number[]} order notes that fire, the weakest first.
   */
  drawTrack(context, width, roll, track, order) {
    const { onset, duration, token } = this.song.roll.notes;
    const theme = themeOf(this.element);
    for (const note of order) {
      const value = track.values[token[note]];
      const x = roll.xOf(onset[note]);
      const wide = Math.max(2, roll.xOf(onset[note] + duration[note]) - x - 1);
      if (x > width || x + wide < 0) continue;
      const share = Math.min(1, value / track.max);
      context.fillStyle = colourOf(share, theme);
      context.fillRect(x, TRACK - 1 - share * (TRACK - 3), wide, share * (TRACK - 3));
    }
    context.fillStyle = cssColour("--mi-line");
    context.fillRect(0, TRACK - 1, width, 1);
  }

  /**
   * Notes that start together share their place, the highest above.
   * @param {Context} context
   * @param {number} width
   * @param {PianoRoll} roll
   * @param {Strip} strip
   * @param {(code: number) => string} colourOfCode
   */
  drawStrip(context, width, roll, strip, colourOfCode) {
    const { onset, token } = this.song.roll.notes;
    for (let first = 0; first < this.order.length; ) {
      const step = onset[this.order[first]];
      let next = first;
      while (next < this.order.length && onset[this.order[next]] === step) next++;
      const x = roll.xOf(step);
      const to = roll.xOf(next < this.order.length ? onset[this.order[next]] : this.song.roll.end);
      if (x < width && to > 0) {
        const tall = STRIP / (next - first);
        this.order.slice(first, next).forEach((note, row) => {
          const code = strip.codes[token[note]];
          if (!code) return;
          context.fillStyle = colourOfCode(code);
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

/** The palette, then the same more faintly for concepts of many values. @param {number} i @param {Theme} theme */
function shade(i, theme) {
  const colours = stripColours(theme);
  const colour = colours[i % colours.length];
  const times = Math.floor(i / colours.length);
  if (times === 0) return colour;
  return `color-mix(in srgb, ${colour} ${times === 1 ? 55 : 30}%, ${theme === "dark" ? "#ffffff" : "#000000"})`;
}
