// How sure a name is: its scores on lines from 0 to 1 with their intervals, and what to compare them with.

import { onALine } from "./bar.js";
import { h } from "./dom.js";
import { fixed, percent, signed } from "./words.js";

/** @import { Name } from "./shapes" */
/** @import { Child, Help } from "./types" */

/** @param {Name} name @param {Help} help */
export function nameScores(name, help) {
  return h(
    "section",
    { class: "sure" },
    h(
      "div",
      { class: "with-help" },
      h("h2", {}, "How sure that is"),
      h("span", { class: "muted small" }, "on test songs, with the interval of 95 %"),
      help("interval", "the interval"),
    ),
    h(
      "table",
      { class: "scores" },
      h("caption", { class: "out-of-sight" }, "Scores of the name on test songs"),
      h("tbody", {}, scoreRows(name, help)),
    ),
    h("dl", { class: "beside" }, besideScores(name, help)),
  );
}

/** @param {Name} name @param {Help} help */
function scoreRows(name, help) {
  /** @param {string} key @param {string} title @param {HTMLElement} line @param {string} value @param {string} more */
  const row = (key, title, line, value, more) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, title, help(key, title)),
      h("td", { class: "drawn" }, line),
      h("td", { class: "number" }, value),
      h("td", { class: "muted small" }, more),
    );
  const { precision, recall, identity } = name;
  const [mcc, mccLow, mccHigh] = [name.mcc, ...name.mcc_interval].map(orNaN);
  const [f1, f1Low, f1High] = [name.f1, ...name.f1_interval].map(orNaN);
  const marks = [
    { at: orNaN(name.always_on_f1), kind: "always", word: `always on: ${fixed(name.always_on_f1)}` },
    { at: orNaN(name.identity_f1), kind: "token", word: `${identity}: ${fixed(name.identity_f1)}` },
  ];
  const mccLine = onALine({ value: mcc, low: mccLow, high: mccHigh, from: Math.min(0, mccLow || 0) });
  const f1Line = onALine({ value: f1, low: f1Low, high: f1High, marks });
  return [
    row("mcc", "MCC", mccLine, fixed(mcc), `${fixed(mccLow)} to ${fixed(mccHigh)}`),
    row("f1", "F1", f1Line, fixed(f1), `${fixed(f1Low)} to ${fixed(f1High)}`),
    row(
      "precision",
      "precision",
      onALine({ value: orNaN(precision) }),
      percent(precision),
      "of its firings the name is true",
    ),
    row("recall", "recall", onALine({ value: orNaN(recall) }), percent(recall), "of true tokens it fires"),
  ];
}

/** @param {Name} name @param {Help} help */
function besideScores({ always_on_f1, identity, identity_f1, gain, base_rate, q, threshold }, help) {
  /** @param {string} key @param {string} title @param {string} value @param {Child} [swatch] */
  const fact = (key, title, value, swatch) =>
    h("div", {}, h("dt", {}, h("span", {}, swatch, title), help(key, title)), h("dd", {}, value));
  return [
    fact("always_on_f1", "always on", `F1 ${fixed(always_on_f1)}`, h("i", { class: "swatch always" })),
    fact(
      "gain",
      `the token's own “${identity || "–"}”`,
      `F1 ${fixed(identity_f1)}; gain ${signed(gain)}`,
      h("i", { class: "swatch token" }),
    ),
    fact("base_rate", "true of", `${percent(base_rate)} of tokens`),
    fact("q", "chance (q)", q !== null && q < 0.001 ? "< 0.001" : fixed(q, 3)),
    fact("threshold", "on from", fixed(threshold)),
  ];
}

/** @param {number | null} value */
const orNaN = (value) => value ?? NaN;
