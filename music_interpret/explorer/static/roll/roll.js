// A piano roll in an element: two canvases, the upper one for what moves.

import { laneColour, onThemeChange, palette, themeOf } from "./colours.js";
import { drawGround, drawKeyboard, drawNotes, drawOver } from "./drawing.js";
import { make } from "./elements.js";
import { Geometry, GUTTER, RULER } from "./geometry.js";
import { handleKey } from "./keyboard.js";
import { followed } from "./player.js";
import { adoptStyle } from "./style.js";
import { Tip } from "./tip.js";
import { noteWords, rollWords } from "./words.js";

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class PianoRoll {
  // `options` are said in full in the contract of the pages: values, note, height, pixelsPerBeat or fit, colours,
  // maxValue, lanes, onHover, onClick, onSeek, audio. An excerpt brings its own values and note.
  constructor(container, excerptOrRoll, options = {}) {
    const excerpt = excerptOrRoll.roll ? excerptOrRoll : null;
    this.roll = excerpt ? excerpt.roll : excerptOrRoll;
    this.options = options;
    this.container = container;
    this.ringed = options.note ?? excerpt?.note ?? null;
    this.chosen = null;
    this.playhead = null;
    this.draws = 0;
    this.dimmed = null;
    this.audio = null;
    this.play = null;
    this._build();
    this.setValues(options.values ?? excerpt?.values ?? null, options.maxValue);
    this._listen();
    if (options.audio) this.follow(options.audio);
    this._layOut();
    container.dataset.notes = this.roll.notes.onset.length;
    container.pianoRoll = this;
  }

  _build() {
    adoptStyle(this.container);
    this.element = make("div", "mi-roll", this.container);
    this.element.classList.toggle("mi-roll-fit", !this._pixelsPerBeat());
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-roledescription", "piano roll");
    this.scroller = make("div", "mi-roll-scroller", this.element);
    this.spacer = make("div", "mi-roll-spacer", this.scroller);
    const stays = make("div", "mi-roll-window", this.spacer);
    this.canvases = [make("canvas", "mi-roll-notes", stays), make("canvas", "mi-roll-over", stays)];
    this.said = make("div", "mi-unseen", this.element);
    this.said.setAttribute("aria-live", "polite");
    this.tip = new Tip(this);
    this.lanes = this.options.lanes !== false && this.roll.lanes.length > 1;
    if (this.lanes) this._buildLanes();
  }

  _buildLanes() {
    const list = make("ul", "mi-roll-lanes", this.element);
    this.roll.lanes.forEach((lane, number) => {
      const item = make("li", "", list);
      make("i", "", item).style.background = laneColour(number);
      make("span", "", item).textContent = lane.name;
      item.addEventListener("pointerenter", () => this.dim((note) => this.roll.notes.lane[note] !== number));
      item.addEventListener("pointerleave", () => this.dim(null));
    });
  }

  _pixelsPerBeat() {
    return this.options.fit ? null : (this.options.pixelsPerBeat ?? null);
  }

  _listen() {
    this._stops = [onThemeChange(this, (roll) => roll.redraw())];
    const on = (target, name, call) => {
      target.addEventListener(name, call);
      this._stops.push(() => target.removeEventListener(name, call));
    };
    on(this.element, "keydown", (event) => handleKey(this, event));
    on(this.element, "blur", () => this._hover(null, null));
    on(this.canvases[0], "pointermove", (event) => this._hover(this._noteOf(event), event));
    on(this.canvases[0], "pointerleave", (event) => this._hover(null, event));
    on(this.canvases[0], "click", (event) => this._click(event));
    on(this.scroller, "scroll", () => this._scrolled());
    this._observer = new ResizeObserver(() => this._layOut());
    this._observer.observe(this.element);
  }

  // Lay the roll out for the width it has now, and draw it.
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

  // Lay out and draw at once, as before printing.
  drawNow() {
    this._layOut();
  }

  // Draw all again before the next frame.
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
      const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    this.colours = palette(this.element, this.options.colours ?? themeOf(this.element));
    const context = this._context(0);
    drawGround(context, this.roll, this.geometry, this.colours, ratio);
    drawNotes(context, this);
    drawKeyboard(context, this.geometry, this.colours, ratio);
    this.draws += 1;
    this._drawOver();
  }

  _context(number) {
    const context = this.canvases[number].getContext("2d");
    const ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  _drawOver() {
    if (this.geometry && this.colours) drawOver(this._context(1), this);
  }

  // Colour the notes by an activation each; null for none. `maxValue` is the end of the scale.
  setValues(values, maxValue) {
    this.values = values;
    this.maxValue = maxValue ?? (values ? values.reduce((most, value) => Math.max(most, value), 0) : 0);
    if (!(this.maxValue > 0)) this.maxValue = 1;
    const { onset } = this.roll.notes;
    this.order = [...onset.keys()].sort((a, b) => (values ? values[a] - values[b] : 0) || a - b);
    this.element.setAttribute("aria-label", rollWords(this.roll, values));
    if (this.geometry) this.redraw();
  }

  // Put the ring round a note, or round none.
  ring(note) {
    this.ringed = note;
    this._drawOver();
  }

  // Choose a note as if the pointer were over it, or none; scrolls there.
  select(note) {
    this.chosen = note;
    if (note !== null) this.show(this.roll.notes.onset[note]);
    this._tell(note);
    this._drawOver();
  }

  // Draw the notes for which `test(note)` is true more faintly; null for none.
  dim(test) {
    this.dimmed = test;
    this.redraw();
  }

  // Put the playhead at a step, or take it away.
  setPlayhead(step) {
    this.playhead = step;
    this._drawOver();
  }

  // Move the playhead with an <audio> whose sound begins at the roll's start.
  follow(audio) {
    this._unfollow?.();
    this.audio = audio;
    const stop = followed(this, audio);
    this._unfollow = () => {
      stop();
      this.audio = null;
    };
  }

  // Scroll so that a step is seen; page by page while playing.
  show(step, playing = false) {
    if (!this.geometry || !this._pixelsPerBeat()) return;
    const x = this.geometry.xOf(step);
    const right = this.geometry.width - (playing ? 24 : 60);
    if (x >= GUTTER && x <= right) return;
    const left = x + this.geometry.scroll - GUTTER - (playing ? 16 : this.geometry.width / 3);
    this.scroller.scrollTo({ left, behavior: playing || still() ? "instant" : "smooth" });
    this._scrolled();
  }

  // Where a step lies, from the left edge of `element`.
  xOf(step) {
    return this.geometry.xOf(step) + this._border();
  }

  _border() {
    return this.scroller.clientLeft;
  }

  // The middle of a note, from the left upper corner of `element`.
  centreOf(note) {
    const box = this.geometry.box(this.roll.notes, note);
    return { x: box.x + box.width / 2 + this._border(), y: box.y + box.height / 2 + this._border() };
  }

  // The uppermost note at a point of `element`, or null.
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

  _point(event) {
    const here = this.element.getBoundingClientRect();
    return [event.clientX - here.left, event.clientY - here.top];
  }

  _noteOf(event) {
    return this.noteAt(...this._point(event));
  }

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

  _click(event) {
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

  // Choose a note as if the pointer were over it, and tell the page.
  choose(note, event) {
    this.select(note);
    this.options.onHover?.(note, event);
  }

  // Say a note to a screen reader and show it.
  _tell(note) {
    this.said.textContent = note === null ? "" : noteWords(this.roll, note, this.values).join(", ");
    if (!this.options.onHover) this.tip.show(note);
  }

  // Let go of everything; the element goes too.
  destroy() {
    this._unfollow?.();
    this._observer.disconnect();
    cancelAnimationFrame(this._waiting);
    for (const stop of this._stops) stop();
    this.element.remove();
    delete this.container.pianoRoll;
    delete this.container.dataset.notes;
  }
}
