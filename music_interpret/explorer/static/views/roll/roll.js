// A piano roll in an element: two canvases, the upper one for what moves.

import { h } from "../dom.js";
import { onThemeChange, themeOf } from "../theme.js";
import { laneColour, palette } from "./colours.js";
import { drawGround, drawKeyboard, drawNotes, drawOver } from "./drawing.js";
import { Geometry, GUTTER, RULER } from "./geometry.js";
import { handleKey } from "./keyboard.js";
import { followed } from "./player.js";
import { adoptStyle } from "./style.js";
import { Tip } from "./tip.js";
import { noteWords, rollWords } from "./words.js";

/** @import { Excerpt, Roll } from "../shapes" */
/** @import { Drawn, Palette, RollOptions } from "../types" */

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class PianoRoll {
  /**
   * @param {HTMLElement} container
   * @param {Excerpt | Roll} excerptOrRoll an excerpt brings its own values and note.
   * @param {RollOptions} options
   */
  constructor(container, excerptOrRoll, options = {}) {
    const excerpt = "roll" in excerptOrRoll ? excerptOrRoll : null;
    /** @type {Roll} */
    this.roll = "roll" in excerptOrRoll ? excerptOrRoll.roll : excerptOrRoll;
    this.options = options;
    this.container = container;
    /** @type {number | null} */
    this.ringed = options.note ?? excerpt?.note ?? null;
    /** @type {number | null} */
    this.chosen = null;
    /** @type {number | null} */
    this.playhead = null;
    /** @type {((note: number) => boolean) | null} */
    this.dimmed = null;
    /** What it follows. @type {HTMLAudioElement | null} */
    this.audio = null;
    /** What Space does. @type {(() => void) | null} */
    this.play = null;
    /** Laid out once the roll has a width. @type {Geometry | null} */
    this.geometry = null;
    /** @type {Palette | null} */
    this.colours = null;
    this.draws = 0;
    this._waiting = 0;
    /** @type {(() => void) | null} */
    this._unfollow = null;
    this._listening = new AbortController();

    adoptStyle(container);
    this.canvases = [h("canvas", { class: "mi-roll-notes" }), h("canvas", { class: "mi-roll-over" })];
    this.spacer = h("div", { class: "mi-roll-spacer" }, h("div", { class: "mi-roll-window" }, this.canvases));
    this.scroller = h("div", { class: "mi-roll-scroller" }, this.spacer);
    this.said = h("div", { class: "mi-unseen", "aria-live": "polite" });
    this.lanes = options.lanes !== false && this.roll.lanes.length > 1;
    this.element = h(
      "div",
      { class: "mi-roll", tabindex: 0, role: "application", "aria-roledescription": "piano roll" },
      this.scroller,
      this.said,
      this.lanes && this._laneList(),
    );
    this.element.classList.toggle("mi-roll-fit", !this._pixelsPerBeat());
    container.append(this.element);
    this.tip = new Tip(this);
    /** @type {number[] | null} */
    this.values = null;
    this.maxValue = 1;
    /** Notes in the order in which they are drawn. @type {number[]} */
    this.order = [];
    this.setValues(options.values ?? excerpt?.values ?? null, options.maxValue);
    this._listen(this._listening.signal);
    this._unwatch = onThemeChange(this, (roll) => roll.redraw());
    this._observer = new ResizeObserver(() => this._layOut());
    this._observer.observe(this.element);
    if (options.audio) this.follow(options.audio);
    this._layOut();
    container.dataset.notes = String(this.roll.notes.onset.length);
    container.pianoRoll = this;
  }

  _laneList() {
    const items = this.roll.lanes.map((lane, number) => {
      const item = h("li", {}, h("i", { style: { background: laneColour(number) } }), h("span", {}, lane.name));
      item.addEventListener("pointerenter", () => this.dim((note) => this.roll.notes.lane[note] !== number));
      item.addEventListener("pointerleave", () => this.dim(null));
      return item;
    });
    return h("ul", { class: "mi-roll-lanes" }, items);
  }

  _pixelsPerBeat() {
    return this.options.fit ? null : (this.options.pixelsPerBeat ?? null);
  }

  /** @param {AbortSignal} signal */
  _listen(signal) {
    const [canvas] = this.canvases;
    this.element.addEventListener("keydown", (event) => handleKey(this, event), { signal });
    this.element.addEventListener("blur", () => this._hover(null, null), { signal });
    canvas.addEventListener("pointermove", (event) => this._hover(this._noteOf(event), event), { signal });
    canvas.addEventListener("pointerleave", (event) => this._hover(null, event), { signal });
    canvas.addEventListener("click", (event) => this._click(event), { signal });
    this.scroller.addEventListener("scroll", () => this._scrolled(), { signal });
  }

  /** Lay the roll out for the width it has now, and draw it. */
  _layOut() {
    adoptStyle(this.element);
    const width = this.scroller.clientWidth;
    if (!width) return;
    this.geometry = new Geometry(this.roll, width, this.options.height, this._pixelsPerBeat());
    this.spacer.style.width = this._pixelsPerBeat() ? `${this.geometry.fullWidth}px` : "100%";
    this.scroller.style.height = `${this.geometry.height + this.scroller.offsetHeight - this.scroller.clientHeight}px`;
    this.geometry.scroll = this.scroller.scrollLeft;
    this._draw();
  }

  _scrolled() {
    if (!this.geometry || this.geometry.scroll === this.scroller.scrollLeft) return;
    this.geometry.scroll = this.scroller.scrollLeft;
    this.redraw();
  }

  /** Lay out and draw at once, as before printing. */
  drawNow() {
    this._layOut();
  }

  /** Draw all again before the next frame. */
  redraw() {
    if (this._waiting) return;
    this._waiting = requestAnimationFrame(() => this._draw());
  }

  _draw() {
    cancelAnimationFrame(this._waiting);
    this._waiting = 0;
    if (!this.geometry || !this.element.isConnected) return;
    const ratio = devicePixelRatio || 1;
    const { width, height } = this.geometry;
    for (const canvas of this.canvases) {
      const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    this.colours = palette(this.element, this.options.colours ?? themeOf(this.element));
    const context = this._context(0);
    const view = this._drawn();
    if (!context || !view) return;
    drawGround(context, view, ratio);
    drawNotes(context, view);
    drawKeyboard(context, view, ratio);
    this.draws += 1;
    this._drawOver();
  }

  /** What the drawing functions see; null until it has a width. @returns {Drawn | null} */
  _drawn() {
    const { roll, geometry, colours, values, maxValue, order, lanes, dimmed, ringed, chosen, playhead } = this;
    if (!geometry || !colours) return null;
    return { roll, geometry, colours, values, maxValue, order, lanes, dimmed, ringed, chosen, playhead };
  }

  /** @param {0 | 1} number of the canvas. */
  _context(number) {
    const context = this.canvases[number].getContext("2d");
    const ratio = devicePixelRatio || 1;
    context?.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  _drawOver() {
    const view = this._drawn();
    const context = view && this._context(1);
    if (view && context) drawOver(context, view);
  }

  /**
   * Colour the notes by an activation each.
   * @param {number[] | null} values null for none.
   * @param {number} [maxValue] the end of the scale.
   */
  setValues(values, maxValue) {
    this.values = values;
    this.maxValue = maxValue ?? (values ? values.reduce((most, value) => Math.max(most, value), 0) : 0);
    if (!(this.maxValue > 0)) this.maxValue = 1;
    const { onset } = this.roll.notes;
    this.order = [...onset.keys()].sort((a, b) => (values ? values[a] - values[b] : 0) || a - b);
    this.element.setAttribute("aria-label", rollWords(this.roll, values));
    if (this.geometry) this.redraw();
  }

  /** Put the ring round a note, or round none. @param {number | null} note */
  ring(note) {
    this.ringed = note;
    this._drawOver();
  }

  /** Choose a note as if the pointer were over it, or none; scrolls there. @param {number | null} note */
  select(note) {
    this.chosen = note;
    if (note !== null) this.show(this.roll.notes.onset[note]);
    this._tell(note);
    this._drawOver();
  }

  /** Draw the notes for which `test(note)` is true more faintly. @param {((note: number) => boolean) | null} test */
  dim(test) {
    this.dimmed = test;
    this.redraw();
  }

  /** Put the playhead at a step, or take it away. @param {number | null} step */
  setPlayhead(step) {
    this.playhead = step;
    this._drawOver();
  }

  /** Move the playhead with an <audio> whose sound begins at the roll's start. @param {HTMLAudioElement} audio */
  follow(audio) {
    this._unfollow?.();
    this.audio = audio;
    const stop = followed(this, audio);
    this._unfollow = () => {
      stop();
      this.audio = null;
    };
  }

  /** Scroll so that a step is seen; page by page while playing. @param {number} step */
  show(step, playing = false) {
    if (!this.geometry || !this._pixelsPerBeat()) return;
    const x = this.geometry.xOf(step);
    const right = this.geometry.width - (playing ? 24 : 60);
    if (x >= GUTTER && x <= right) return;
    const left = x + this.geometry.scroll - GUTTER - (playing ? 16 : this.geometry.width / 3);
    this.scroller.scrollTo({ left, behavior: playing || still() ? "instant" : "smooth" });
    this._scrolled();
  }

  /** Where a step is, from the left edge of `element`; NaN until the roll has a width. @param {number} step */
  xOf(step) {
    return (this.geometry?.xOf(step) ?? NaN) + this._border();
  }

  _border() {
    return this.scroller.clientLeft;
  }

  /** The middle of a note, from the left upper corner of `element`; null until the roll has a width. @param {number} note */
  centreOf(note) {
    const box = this.geometry?.box(this.roll.notes, note);
    return box ? { x: box.x + box.width / 2 + this._border(), y: box.y + box.height / 2 + this._border() } : null;
  }

  /** The uppermost note at a point of `element`, or null. @param {number} x @param {number} y */
  noteAt(x, y) {
    if (!this.geometry) return null;
    const [left, top] = [x - this._border(), y - this._border()];
    if (left < GUTTER || top < RULER - 2) return null;
    for (let i = this.order.length - 1; i >= 0; i -= 1) {
      const note = this.order[i];
      const box = this.geometry.box(this.roll.notes, note);
      const more = Math.max(0, (5 - box.width) / 2);
      const inside = left >= box.x - more && left <= box.x + box.width + more;
      if (inside && top >= box.y - 0.5 && top <= box.y + box.height + 0.5) return note;
    }
    return null;
  }

  /** @param {MouseEvent} event @returns {[number, number]} */
  _point(event) {
    const here = this.element.getBoundingClientRect();
    return [event.clientX - here.left, event.clientY - here.top];
  }

  /** @param {MouseEvent} event */
  _noteOf(event) {
    return this.noteAt(...this._point(event));
  }

  /** @param {number | null} note @param {Event | null} event */
  _hover(note, event) {
    if (note === this.chosen && note === null) return;
    if (note !== this.chosen) {
      this.chosen = note;
      this._drawOver();
    }
    this.canvases[0].style.cursor = note !== null && this.options.onClick ? "pointer" : "default";
    if (this.options.onHover) this.options.onHover(note, event);
    else this.tip.show(note);
  }

  /** @param {MouseEvent} event */
  _click(event) {
    if (!this.geometry) return;
    const note = this._noteOf(event);
    if (note !== null && this.options.onClick) {
      this.options.onClick(note, event);
      return;
    }
    const [x, y] = this._point(event);
    if (x < GUTTER || (note !== null && y > RULER)) return;
    const step = Math.min(Math.max(this.geometry.stepAt(x - this._border()), this.roll.start), this.roll.end);
    if (this.options.onSeek) this.options.onSeek(step);
    else if (this.audio) this.audio.currentTime = (step - this.roll.start) * this.roll.seconds_per_step;
  }

  /** Choose a note as if pointed at, and notify the page. @param {number | null} note @param {Event} event */
  choose(note, event) {
    this.select(note);
    this.options.onHover?.(note, event);
  }

  /** Say a note to a screen reader and show it. @param {number | null} note */
  _tell(note) {
    this.said.textContent = note === null ? "" : noteWords(this.roll, note, this.values).join(", ");
    if (!this.options.onHover) this.tip.show(note);
  }

  /** Let go of everything; the element goes too. */
  destroy() {
    this._unfollow?.();
    this._observer.disconnect();
    cancelAnimationFrame(this._waiting);
    this._unwatch();
    this._listening.abort();
    this.element.remove();
    delete this.container.pianoRoll;
    delete this.container.dataset.notes;
  }
}
