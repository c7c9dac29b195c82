// The concept values that a latent follows best, one by one, with their scores.

import { h } from "./dom.js";
import { mark, reliabilityOf } from "./reliability.js";
import { fixed, NEEDS, percent, signed } from "./words.js";

/** @import { LabelRow, Reliability } from "./shapes" */
/** @import { Child, Help } from "./types" */

/** Title, key of the help and class. @type {[string, string | null, string | null][]} */
const COLUMNS = [
  ["Concept value", "agreement", null],
  ["About", "needs", null],
  ["MCC", "mcc", "number"],
  ["F1", "f1", "number"],
  ["Precision", "precision", "number"],
  ["Recall", "recall", "number"],
  ["True of", "base_rate", "number"],
  ["Gain", "gain", "number"],
];

/** @param {LabelRow[]} labels @param {Reliability[]} reliability @param {Help} help */
export function conceptTable(labels, reliability, help) {
  const rows = labels.map((label) => conceptRow(label, reliabilityOf(reliability, label.concept)));
  const heads = COLUMNS.map(([title, key, kind]) =>
    h("th", { scope: "col", class: kind }, title, key && help(key, title)),
  );
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Concept scores" },
    h("table", { class: "plain" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)),
  );
}

/** @param {LabelRow} label @param {Reliability | undefined} agreement */
function conceptRow(label, agreement) {
  /** @param {Child[]} content */
  const cell = (...content) => h("td", { class: "number" }, content);
  const interval = ` ${fixed(label.mcc_low)}–${fixed(label.mcc_high)}`;
  return h(
    "tr",
    { class: label.significant ? null : "unnamed" },
    h(
      "th",
      { scope: "row" },
      label.name,
      mark(agreement, agreement?.short),
      !label.significant && h("small", { class: "muted" }, " not significant"),
    ),
    h("td", { class: "muted" }, NEEDS[label.lag === 1 ? "next" : label.leakage]),
    cell(fixed(label.mcc), h("small", { class: "muted" }, interval)),
    cell(fixed(label.f1)),
    cell(percent(label.precision)),
    cell(percent(label.recall)),
    cell(percent(label.base_rate)),
    cell(signed(label.gain)),
  );
}
