// What a latent does to the next token: for each output field, the values that gain and lose most.

import { bar } from "./bar.js";
import { h } from "./dom.js";
import { signed } from "./words.js";

/** @import { Effect } from "./shapes" */

/** @type {Record<string, string>} */
const FIELDS = { type: "kind of token", position: "position in the beat" };
const PROMOTED = 4;
const SUPPRESSED = 3;

/** Null where it does nothing. @param {Effect[]} effects */
export function effectFields(effects) {
  const shown = effects.filter(({ promotes, suppresses }) => promotes.length + suppresses.length);
  if (!shown.length) return null;
  return h(
    "div",
    { class: "fields" },
    shown.map((effect) => h("div", {}, h("h3", {}, FIELDS[effect.field] ?? effect.field), diverging(effect))),
  );
}

/** Bars to the right and to the left of a middle line. @param {Effect} effect */
function diverging({ promotes, suppresses }) {
  const shown = [...promotes.slice(0, PROMOTED), ...suppresses.slice(0, SUPPRESSED)];
  const most = Math.max(...shown.map(([, logits]) => Math.abs(logits)), 1e-9);
  return h(
    "table",
    { class: "bars diverging" },
    h(
      "tbody",
      {},
      shown.map(([word, logits]) => effectRow(word, logits, most)),
    ),
  );
}

/** @param {string} word @param {number} logits @param {number} most */
function effectRow(word, logits, most) {
  return h(
    "tr",
    { class: logits >= 0 ? "up" : "down" },
    h("th", { scope: "row", title: word }, word),
    h("td", { class: "half left" }, logits < 0 ? bar(-logits, most) : null),
    h("td", { class: "half right" }, logits >= 0 ? bar(logits, most) : null),
    h("td", { class: "number" }, signed(logits)),
  );
}
