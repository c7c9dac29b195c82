// "When it fires": a latent's firings counted by the values of each concept, against how common the values are.

import { bar, widthOf } from "./bar.js";
import { h } from "./dom.js";
import { percent } from "./words.js";

/** @import { FiresWhen, ValueCount } from "./shapes" */
/** @import { Help } from "./types" */

const PREFERRED = { times: 1.5, share: 0.02 }; // what is in bold: values that it fires on so much oftener than others

/** @param {FiresWhen[]} groups @param {Help} help */
export function firesWhen(groups, help) {
  return h(
    "div",
    { class: "fields" },
    groups.map((group) =>
      h("div", {}, h("h3", {}, group.what, help("when", group.what, group.help)), againstBase(group.values)),
    ),
  );
}

/** Bars for fractions of firings, with a tick at the fraction of all tokens. @param {ValueCount[]} values */
function againstBase(values) {
  const most = Math.max(...values.map((value) => Math.max(value.share, value.base_rate)), 0.01);
  const titles = ["firings", "all tokens", "ratio"];
  return h(
    "table",
    { class: "bars" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, h("span", { class: "out-of-sight" }, "value")),
        h("td"),
        titles.map((word) => h("th", { scope: "col", class: "number" }, word)),
      ),
    ),
    h(
      "tbody",
      {},
      values.map((value) => valueRow(value, most)),
    ),
  );
}

/** @param {ValueCount} value @param {number} most */
function valueRow({ word, share, base_rate, rate }, most) {
  const times = base_rate > 0 ? share / base_rate : null;
  const preferred = times !== null && times >= PREFERRED.times && share >= PREFERRED.share;
  const title = `${percent(share)} of its firings; ${percent(base_rate)} of all tokens; fires on ${percent(rate)} of such tokens`;
  return h(
    "tr",
    { class: preferred ? "more" : null },
    h("th", { scope: "row", title: word }, word),
    h(
      "td",
      { class: "against", title },
      bar(share, most),
      h("span", { class: "tick", style: { left: widthOf(base_rate / most) }, "aria-hidden": "true" }),
    ),
    h("td", { class: "number" }, percent(share)),
    h("td", { class: "number muted" }, percent(base_rate)),
    h("td", { class: "number muted" }, times === null ? "–" : `×${times >= 10 ? Math.round(times) : times.toFixed(1)}`),
  );
}
