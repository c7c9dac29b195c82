// Dots on a canvas: hover for words, click to open, drag to keep a part. The table next to it is its other form.

import { cssColour, fill, h } from "./views/dom.js";
import { groupColour, NO_NAME } from "./views/groups.js";
import { onThemeChange, themeOf } from "./views/theme.js";

/** @import { Child } from "./views/types" */

/** @typedef {[number, number]} Pair */
/** @typedef {CanvasRenderingContext2D} Context */

const REACH = 12; // pixels from a dot at which the pointer has it
const PAD = { left: 46, right: 12, top: 12, bottom: 34 };

export class Scatter {
  /**
   * @param {{
   *   x: Float64Array,
   *   y: Float64Array,
   *   log: boolean,
   *   axes: { x: string, y: string } | null,
   *   label: string,
   *   group(i: number): string | null,
   *   describe(i: number): Child,
   *   onOpen(i: number, event: MouseEvent): void,
   *   onBrush(ends: { x: Pair, y: Pair }): void,
   * }} what a dot per latent; `axes` names what x, a fraction, and y are.
   */
  constructor(what) {
    this.what = what;
    this.x = what.x;
    this.y = what.y;
    this.log = what.log;
    this.axes = what.axes;
    /** Follows the dot that is pointed at. @type {(i: number | null) => void} */
    this.onHover = () => {};
    this.width = 0;
    this.height = 0;
    this.dense = 1;
    /** x and y of each dot in pixels. */
    this.spots = new Float32Array(0);
    /** Where the pointer went down. @type {Pair | null} */
    this.press = null;
    /** @type {{ from: Pair, to: Pair } | null} */
    this.brush = null;
    this.canvas = h("canvas", { role: "img", "aria-label": what.label });
    this.tip = h("div", { class: "tip", hidden: true });
    this.element = h("div", { class: "scatter" }, this.canvas, this.tip);
    /** @type {number[]} */
    this.shown = [];
    /** @type {number | null} */
    this.near = null;
    this.ends = [this.endsOf(this.x), this.endsOf(this.y)];
    this.pad = this.axes ? PAD : { left: 10, right: 10, top: 10, bottom: 10 };
    this.listen();
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.element);
    this.stopTheme = onThemeChange(this, (scatter) => scatter.draw());
  }

  /** What an axis spans. @param {Float64Array} column @returns {Pair} */
  endsOf(column) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of column)
      if (Number.isFinite(value) && (!this.log || value > 0))
        [low, high] = [Math.min(low, value), Math.max(high, value)];
    if (low > high) [low, high] = this.log ? [0.1, 1] : [-1, 1];
    const [a, b] = this.log ? [Math.log10(low), Math.log10(high)] : [low, high];
    const spare = (b - a || 1) * 0.04;
    return [a - spare, b + spare];
  }

  /** @param {number} i @returns {Pair} */
  place(i) {
    const [[x0, x1], [y0, y1]] = this.ends;
    const see = this.log ? Math.log10 : Number;
    const { left, right, top, bottom } = this.pad;
    return [
      left + ((see(this.x[i]) - x0) / (x1 - x0)) * (this.width - left - right),
      this.height - bottom - ((see(this.y[i]) - y0) / (y1 - y0)) * (this.height - top - bottom),
    ];
  }

  /** The value at a pixel, along x or y. @param {number} pixel @param {0 | 1} axis */
  value(pixel, axis) {
    const { left, right, top, bottom } = this.pad;
    const share =
      axis === 0
        ? (pixel - left) / (this.width - left - right)
        : (this.height - bottom - pixel) / (this.height - top - bottom);
    const [low, high] = this.ends[axis];
    const value = low + Math.max(0, Math.min(1, share)) * (high - low);
    return this.log ? 10 ** value : value;
  }

  /** Show these latents and leave the others as a faint ground. @param {number[]} places */
  show(places) {
    this.shown = places;
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    const dense = window.devicePixelRatio || 1;
    if (!clientWidth || (this.width === clientWidth && this.height === clientHeight && this.dense === dense)) return;
    [this.width, this.height, this.dense] = [clientWidth, clientHeight, dense];
    this.canvas.width = clientWidth * dense;
    this.canvas.height = clientHeight * dense;
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    if (!this.width || !context) return;
    context.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.axes) this.drawAxes(context, this.axes);
    this.spots = new Float32Array(2 * this.x.length).fill(NaN);
    for (let i = 0; i < this.x.length; i++) {
      const [x, y] = this.place(i);
      if (Number.isFinite(x) && Number.isFinite(y)) [this.spots[2 * i], this.spots[2 * i + 1]] = [x, y];
    }
    if (this.shown.length < this.x.length) this.dots(context, this.x.keys(), cssColour("--mi-ghost"), 1.2, 1);
    const theme = themeOf(this.element);
    /** @type {Map<string, number[]>} */
    const groups = new Map();
    for (const i of this.shown) {
      const group = this.what.group(i) ?? NO_NAME;
      const places = groups.get(group);
      if (places) places.push(i);
      else groups.set(group, [i]);
    }
    const size = this.shown.length > 4000 ? 2 : this.shown.length > 800 ? 2.6 : 3.6;
    const named = [...groups].filter(([group]) => group !== NO_NAME);
    this.dots(context, groups.get(NO_NAME) ?? [], groupColour(NO_NAME, theme), size * 0.72, 0.75);
    for (const [group, places] of named) this.dots(context, places, groupColour(group, theme), size, 0.9);
    if (this.near !== null) this.ring(context, this.near);
    if (this.brush) this.drawBrush(context, this.brush);
  }

  /** @param {Context} context @param {Iterable<number>} places @param {string} colour @param {number} size @param {number} strength */
  dots(context, places, colour, size, strength) {
    context.globalAlpha = strength;
    context.fillStyle = colour;
    context.beginPath();
    for (const i of places) {
      const x = this.spots[2 * i];
      if (Number.isNaN(x)) continue;
      context.moveTo(x + size, this.spots[2 * i + 1]);
      context.arc(x, this.spots[2 * i + 1], size, 0, 2 * Math.PI);
    }
    context.fill();
    context.globalAlpha = 1;
  }

  /** @param {Context} context @param {number} i */
  ring(context, i) {
    if (Number.isNaN(this.spots[2 * i])) return;
    context.strokeStyle = cssColour("--mi-text");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(this.spots[2 * i], this.spots[2 * i + 1], 6, 0, 2 * Math.PI);
    context.stroke();
  }

  /** @param {Context} context @param {{ from: Pair, to: Pair }} brush */
  drawBrush(context, { from, to }) {
    context.strokeStyle = cssColour("--mi-accent");
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.strokeRect(
      Math.min(from[0], to[0]),
      Math.min(from[1], to[1]),
      Math.abs(to[0] - from[0]),
      Math.abs(to[1] - from[1]),
    );
    context.setLineDash([]);
  }

  /** @param {Context} context @param {{ x: string, y: string }} words */
  drawAxes(context, words) {
    context.fillStyle = cssColour("--mi-muted");
    context.strokeStyle = cssColour("--mi-line");
    context.lineWidth = 1;
    context.font = `11px ${cssColour("--mi-sans") || "sans-serif"}`;
    const { left, right, top, bottom } = this.pad;
    const [wide, tall] = [this.width - left - right, this.height - top - bottom];
    const [[x0, x1], [y0, y1]] = this.ends;
    context.textAlign = "center";
    for (const tick of ticksOf([x0, x1])) {
      const x = left + ((tick - x0) / (x1 - x0)) * wide;
      this.stroke(context, x, top, x, this.height - bottom);
      context.fillText(`${twoDigits(100 * 10 ** tick)} %`, x, this.height - bottom + 14);
    }
    context.textAlign = "right";
    for (const tick of ticksOf([y0, y1])) {
      const y = this.height - bottom - ((tick - y0) / (y1 - y0)) * tall;
      this.stroke(context, left, y, this.width - right, y);
      context.fillText(twoDigits(10 ** tick), left - 6, y + 4);
    }
    context.textAlign = "center";
    context.fillText(words.x, left + wide / 2, this.height - 4);
    context.save();
    context.translate(11, top + tall / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(words.y, 0, 0);
    context.restore();
  }

  /** @param {Context} context @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
  stroke(context, x0, y0, x1, y1) {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }

  /** @param {number} x @param {number} y */
  nearest(x, y) {
    /** @type {number | null} */
    let best = null;
    let least = REACH * REACH;
    for (const i of this.shown) {
      const [dx, dy] = [this.spots[2 * i] - x, this.spots[2 * i + 1] - y];
      const far = dx * dx + dy * dy;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  /** Ring one dot, from here or from elsewhere on the page. @param {number | null} i */
  point(i, tip = false) {
    if (this.near === i && !tip) return;
    this.near = i;
    this.draw();
    this.tip.hidden = true;
    if (i === null || !tip) return;
    this.tip.hidden = false;
    fill(this.tip, this.what.describe(i));
    const [x, y] = [this.spots[2 * i], this.spots[2 * i + 1]];
    const { offsetWidth: wide, offsetHeight: tall } = this.tip;
    this.tip.style.left = `${Math.max(0, Math.min(x - wide / 2, this.width - wide))}px`;
    this.tip.style.top = `${y > tall + 16 ? y - tall - 12 : y + 14}px`;
  }

  listen() {
    /** @param {MouseEvent} event @returns {Pair} */
    const where = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    /** @type {number | null} */
    let touched = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      this.press = where(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const at = where(event);
      if (this.press && Math.hypot(at[0] - this.press[0], at[1] - this.press[1]) > 6) {
        if (!this.brush) this.canvas.setPointerCapture(event.pointerId);
        this.brush = { from: this.press, to: at };
        this.point(null);
        return this.draw();
      }
      this.point(this.nearest(...at), true);
      this.canvas.style.cursor = this.near === null ? "crosshair" : "pointer";
      this.onHover(this.near);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const [brush, press] = [this.brush, this.press];
      this.brush = this.press = null;
      if (brush) return this.brushed(brush);
      const i = this.nearest(...where(event));
      if (event.pointerType === "touch") {
        if (i !== null && touched === i) this.what.onOpen(i, event);
        touched = i;
        return this.point(i, true);
      }
      if (press && i !== null) this.what.onOpen(i, event);
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.point(null);
      this.onHover(null);
    });
    this.canvas.addEventListener("pointercancel", () => {
      this.brush = this.press = null;
      this.draw();
    });
  }

  /** @param {{ from: Pair, to: Pair }} brush */
  brushed({ from, to }) {
    /** @param {0 | 1} axis @returns {Pair} */
    const ends = (axis) => {
      const [a, b] = [this.value(from[axis], axis), this.value(to[axis], axis)];
      return a < b ? [a, b] : [b, a];
    };
    this.draw();
    this.what.onBrush({ x: ends(0), y: ends(1) });
  }

  destroy() {
    this.watcher.disconnect();
    this.stopTheme();
  }
}

/** Places of the ticks of an axis of logarithms to base 10: 1, 10, 100 …, and 2 and 5 where there is room. @param {Pair} ends */
function ticksOf([low, high]) {
  const fine = high - low < 1.6 ? [0, Math.log10(2), Math.log10(5)] : [0];
  const decades = Array.from({ length: Math.floor(high) - Math.floor(low) + 1 }, (_, k) => Math.floor(low) + k);
  return decades.flatMap((decade) => fine.map((more) => decade + more)).filter((tick) => tick >= low && tick <= high);
}

/** @param {number} value */
const twoDigits = (value) => String(Number(value.toPrecision(2)));
