// Small charts made of boxes: a value with its interval on a line, bars against a base rate, diverging bars, columns.

import { h } from "./dom.js";
import { isDark } from "./groups.js";
import { colourOf } from "./roll/colours.js";
import { fixed, percent, signed, whole } from "./words.js";

const at = (share) => `${(100 * Math.max(0, Math.min(1, share))).toFixed(2)}%`;

/**
 * A value on a line with its interval and marks to compare it with.
 * @param {{value: number, low?: number, high?: number, marks?: {at: number, kind: string, word: string}[], from?: number, to?: number}} what
 */
export function onALine({ value, low, high, marks = [], from = 0, to = 1 }) {
  const place = (x) => at((x - from) / (to - from));
  const interval = Number.isFinite(low) && Number.isFinite(high);
  const line = h("span", { class: "line", "aria-hidden": "true" });
  if (from < 0) line.append(h("span", { class: "zero", style: { left: place(0) } }));
  if (interval)
    line.append(h("span", { class: "interval", style: { left: place(low), right: `calc(100% - ${place(high)})` } }));
  for (const mark of marks)
    if (Number.isFinite(mark.at))
      line.append(h("span", { class: `mark ${mark.kind}`, title: mark.word, style: { left: place(mark.at) } }));
  if (Number.isFinite(value)) line.append(h("span", { class: "point", style: { left: place(value) } }));
  return line;
}

/** A share as a bar of at most its cell's width. */
export function bar(share, most = 1, kind = "") {
  return h(
    "span",
    { class: `bar ${kind}`, "aria-hidden": "true" },
    h("span", { style: { width: at(share / (most || 1)) } }),
  );
}

/** Columns of a histogram whose bins are activations, coloured as notes of that activation are. */
export function histogram(edges, counts, largest) {
  const most = Math.max(1, ...counts);
  const columns = counts.map((count, i) =>
    h(
      "span",
      { class: "column", title: `activation ${fixed(edges[i])} to ${fixed(edges[i + 1])}: ${whole(count)} tokens` },
      h("span", {
        style: {
          height: count ? `max(1px, ${at(Math.sqrt(count / most))})` : "0",
          background: colourOf(
            Math.min(1, Math.sqrt(edges[i] * edges[i + 1]) / (largest || 1)),
            isDark() ? "dark" : "light",
          ),
        },
      }),
    ),
  );
  const ticks = [0, Math.floor(counts.length / 2), counts.length].map((i) =>
    h("span", {}, fixed(edges[i], edges[i] < 1 ? 2 : 1)),
  );
  return h(
    "div",
    {
      class: "histogram",
      role: "img",
      "aria-label": `Histogram of activations from ${fixed(edges[0])} to ${fixed(edges.at(-1))}; most tokens lie near ${fixed(edges[counts.indexOf(most)])}.`,
    },
    h("div", { class: "columns" }, columns),
    h("div", { class: "ticks" }, ticks),
  );
}

/** Rows of "when it fires": a bar for its share of firings, a tick for how common the value is among all notes. */
export function againstBase(values, shown = 8) {
  const most = Math.max(...values.map((value) => Math.max(value.share, value.base_rate)), 0.01);
  const row = (value) => {
    const times = value.base_rate > 0 ? value.share / value.base_rate : null;
    return h(
      "tr",
      { class: times !== null && times >= 1.5 && value.share >= 0.02 ? "more" : null },
      h("th", { scope: "row" }, value.word),
      h(
        "td",
        {
          class: "against",
          title: `${percent(value.share)} of its firings; ${percent(value.base_rate)} of all notes; fires on ${percent(value.rate)} of such notes`,
        },
        bar(value.share, most),
        h("span", { class: "tick", style: { left: at(value.base_rate / most) }, "aria-hidden": "true" }),
      ),
      h("td", { class: "number" }, percent(value.share)),
      h("td", { class: "number muted" }, percent(value.base_rate)),
      h(
        "td",
        { class: "number muted" },
        times === null ? "–" : `×${times >= 10 ? Math.round(times) : times.toFixed(1)}`,
      ),
    );
  };
  const body = h("tbody", {}, values.slice(0, shown).map(row));
  const head = h(
    "thead",
    {},
    h(
      "tr",
      {},
      h("th", { scope: "col" }, h("span", { class: "out-of-sight" }, "value")),
      h("td"),
      ["firings", "all notes", "ratio"].map((word) => h("th", { scope: "col", class: "number" }, word)),
    ),
  );
  const table = h("table", { class: "bars" }, head, body);
  if (values.length <= shown) return table;
  const more = h("button", { type: "button", class: "quiet small" }, `all ${values.length}`);
  more.addEventListener("click", () => {
    body.append(...values.slice(shown).map(row));
    more.remove();
  });
  return h("div", {}, table, more);
}

/** What a field's choices gain and lose: bars to the right and to the left of a middle line. */
export function diverging(promotes, suppresses) {
  const most = Math.max(...[...promotes, ...suppresses].map(([, value]) => Math.abs(value)), 1e-9);
  const row = ([word, value]) =>
    h(
      "tr",
      { class: value >= 0 ? "up" : "down" },
      h("th", { scope: "row" }, word === "None" ? "none" : word),
      h("td", { class: "half left" }, value < 0 ? bar(-value, most) : null),
      h("td", { class: "half right" }, value >= 0 ? bar(value, most) : null),
      h("td", { class: "number" }, signed(value)),
    );
  return h("table", { class: "bars diverging" }, h("tbody", {}, promotes.map(row), suppresses.map(row)));
}
