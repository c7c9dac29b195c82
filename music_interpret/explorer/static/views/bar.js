// A fraction as a bar, and a value on a line with its interval and marks to compare it with.

import { h } from "./dom.js";

/** A fraction as a CSS length of what holds it. @param {number} share */
export const widthOf = (share) => `${(100 * Math.max(0, Math.min(1, share))).toFixed(2)}%`;

/** A fraction of `most` as a bar of at most its cell's width. @param {number} share */
export function bar(share, most = 1) {
  return h(
    "span",
    { class: "bar", "aria-hidden": "true" },
    h("span", { style: { width: widthOf(share / (most || 1)) } }),
  );
}

/**
 * A value on a line from `from` to 1.
 * @param {{
 *   value: number,
 *   low?: number,
 *   high?: number,
 *   marks?: { at: number, kind: string, word: string }[],
 *   from?: number,
 * }} what
 */
export function onALine({ value, low, high, marks = [], from = 0 }) {
  /** @param {number} x */
  const place = (x) => widthOf((x - from) / (1 - from));
  /** @param {string} kind @param {number} x @param {string} [title] */
  const mark = (kind, x, title) => Number.isFinite(x) && h("span", { class: kind, title, style: { left: place(x) } });
  const interval = low !== undefined && high !== undefined && Number.isFinite(low) && Number.isFinite(high);
  return h(
    "span",
    { class: "line", "aria-hidden": "true" },
    from < 0 && mark("zero", 0),
    interval && h("span", { class: "interval", style: { left: place(low), right: `calc(100% - ${place(high)})` } }),
    marks.map(({ kind, at, word }) => mark(`mark ${kind}`, at, word)),
    mark("point", value),
  );
}
