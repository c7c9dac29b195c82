// Dots on a canvas: hover for words, click to open, drag to keep a part. The table beside it is its other form.

import { cssColour, h } from "./dom.js";
import { groupColour, NO_NAME } from "./groups.js";
import { onTheme } from "./theme.js";

const REACH = 12; // pixels from a dot at which the pointer has it
const PAD = { left: 46, right: 12, top: 12, bottom: 34 };

export class Scatter {
  /**
   * @param what {x, y: Float64Array; group(i); log: bool; axes: [words of x, of y] or null; label; describe(i) → nodes;
   *              onOpen(i), onHover(i|null), onBrush({x: [low, high], y: [low, high]})}
   */
  constructor(what) {
    Object.assign(this, what);
    this.canvas = h("canvas", { role: "img", "aria-label": what.label });
    this.tip = h("div", { class: "tip", hidden: true });
    this.element = h("div", { class: "scatter" }, this.canvas, this.tip);
    this.shown = [];
    this.near = null;
    this.pad = this.axes ? PAD : { left: 10, right: 10, top: 10, bottom: 10 };
    this.listen();
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.element);
    this.stopTheme = onTheme(() => this.draw());
    this.measure();
  }

  measure() {
    const ends = (column) => {
      let [low, high] = [Infinity, -Infinity];
      for (const value of column)
        if (Number.isFinite(value) && (!this.log || value > 0))
          [low, high] = [Math.min(low, value), Math.max(high, value)];
      if (low > high) [low, high] = this.log ? [0.1, 1] : [-1, 1];
      const [a, b] = this.log ? [Math.log10(low), Math.log10(high)] : [low, high];
      const spare = (b - a || 1) * 0.04;
      return [a - spare, b + spare];
    };
    this.ends = [ends(this.x), ends(this.y)];
  }

  place(i) {
    const [[x0, x1], [y0, y1]] = this.ends;
    const see = this.log ? Math.log10 : (value) => value;
    const { left, right, top, bottom } = this.pad;
    return [
      left + ((see(this.x[i]) - x0) / (x1 - x0)) * (this.width - left - right),
      this.height - bottom - ((see(this.y[i]) - y0) / (y1 - y0)) * (this.height - top - bottom),
    ];
  }

  /** The value at a pixel, along x or y. */
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

  /** Show these latents and leave the others as a faint ground. */
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
    if (!this.width) return;
    const context = this.canvas.getContext("2d");
    context.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.axes) this.drawAxes(context);
    this.spots = new Float32Array(2 * this.x.length).fill(NaN);
    for (let i = 0; i < this.x.length; i++) {
      const [x, y] = this.place(i);
      if (Number.isFinite(x) && Number.isFinite(y)) [this.spots[2 * i], this.spots[2 * i + 1]] = [x, y];
    }
    if (this.shown.length < this.x.length) this.dots(context, this.x.keys(), cssColour("--mi-ghost"), 1.2, 1);
    const groups = new Map();
    for (const i of this.shown) {
      const group = this.group(i) ?? NO_NAME;
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(i);
    }
    const size = this.shown.length > 4000 ? 2 : this.shown.length > 800 ? 2.6 : 3.6;
    for (const group of [...groups.keys()].sort((a, b) => (b === NO_NAME) - (a === NO_NAME)))
      this.dots(
        context,
        groups.get(group),
        groupColour(group),
        group === NO_NAME ? size * 0.72 : size,
        group === NO_NAME ? 0.75 : 0.9,
      );
    if (this.near !== null) this.ring(context, this.near);
    if (this.brush) this.drawBrush(context);
  }

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

  ring(context, i) {
    if (Number.isNaN(this.spots[2 * i])) return;
    context.strokeStyle = cssColour("--mi-text");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(this.spots[2 * i], this.spots[2 * i + 1], 6, 0, 2 * Math.PI);
    context.stroke();
  }

  drawBrush(context) {
    const { from, to } = this.brush;
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

  drawAxes(context) {
    context.fillStyle = cssColour("--mi-muted");
    context.strokeStyle = cssColour("--mi-line");
    context.lineWidth = 1;
    context.font = `11px ${cssColour("--mi-sans") || "sans-serif"}`;
    const { left, right, top, bottom } = this.pad;
    const decades = ([low, high]) =>
      Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, k) => Math.ceil(low) + k);
    const fine = ([low, high]) => (high - low < 1.6 ? [0, Math.log10(2), Math.log10(5)] : [0]);
    const ticks = (ends) =>
      [Math.floor(ends[0]), ...decades(ends)]
        .flatMap((decade) => fine(ends).map((more) => decade + more))
        .filter((t) => t >= ends[0] && t <= ends[1]);
    context.textAlign = "center";
    for (const tick of new Set(ticks(this.ends[0]))) {
      const x = left + ((tick - this.ends[0][0]) / (this.ends[0][1] - this.ends[0][0])) * (this.width - left - right);
      this.stroke(context, x, top, x, this.height - bottom);
      context.fillText(said(10 ** tick, this.axes[2]), x, this.height - bottom + 14);
    }
    context.textAlign = "right";
    for (const tick of new Set(ticks(this.ends[1]))) {
      const y =
        this.height -
        bottom -
        ((tick - this.ends[1][0]) / (this.ends[1][1] - this.ends[1][0])) * (this.height - top - bottom);
      this.stroke(context, left, y, this.width - right, y);
      context.fillText(said(10 ** tick), left - 6, y + 4);
    }
    context.textAlign = "center";
    context.fillText(this.axes[0], left + (this.width - left - right) / 2, this.height - 4);
    context.save();
    context.translate(11, top + (this.height - top - bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(this.axes[1], 0, 0);
    context.restore();
  }

  stroke(context, x0, y0, x1, y1) {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }

  nearest(x, y) {
    let [best, least] = [null, REACH * REACH];
    for (const i of this.shown) {
      const [dx, dy] = [this.spots[2 * i] - x, this.spots[2 * i + 1] - y];
      const far = dx * dx + dy * dy;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  /** Ring one dot, from here or from elsewhere on the page. */
  point(i, tip = false) {
    if (this.near === i && !tip) return;
    this.near = i;
    this.draw();
    this.tip.hidden = i === null || !tip;
    if (this.tip.hidden) return;
    this.tip.replaceChildren(...this.describe(i));
    const [x, y] = [this.spots[2 * i], this.spots[2 * i + 1]];
    const { offsetWidth: wide, offsetHeight: tall } = this.tip;
    this.tip.style.left = `${Math.max(0, Math.min(x - wide / 2, this.width - wide))}px`;
    this.tip.style.top = `${y > tall + 16 ? y - tall - 12 : y + 14}px`;
  }

  listen() {
    const where = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
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
      this.onHover?.(this.near);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const [brush, press] = [this.brush, this.press];
      this.brush = this.press = null;
      if (brush) return this.brushed(brush);
      const i = this.nearest(...where(event));
      if (event.pointerType === "touch") {
        if (i !== null && touched === i) this.onOpen(i);
        touched = i;
        return this.point(i, true);
      }
      if (press && i !== null) this.onOpen(i, event);
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.point(null);
      this.onHover?.(null);
    });
    this.canvas.addEventListener("pointercancel", () => {
      this.brush = this.press = null;
      this.draw();
    });
  }

  brushed({ from, to }) {
    const ends = (axis) => [from[axis], to[axis]].map((pixel) => this.value(pixel, axis)).sort((a, b) => a - b);
    this.draw();
    this.onBrush({ x: ends(0), y: ends(1) });
  }

  destroy() {
    this.watcher.disconnect();
    this.stopTheme();
  }
}

function said(value, unit) {
  if (unit === "%") return `${Number((100 * value).toPrecision(2))} %`;
  return String(Number(value.toPrecision(2)));
}
