// Columns of how many there are of each size.

import { widthOf } from "./bar.js";
import { h } from "./dom.js";
import { colourOf } from "./roll/colours.js";
import { inTheme } from "./theme.js";
import { counted, fixed } from "./words.js";

/** @import { Statistics } from "./shapes" */

/**
 * @param {string} label what it shows, in a sentence.
 * @param {{ title: string, bar: HTMLElement }[]} columns
 * @param {string[]} ticks words along the bottom, at even steps.
 * @param {boolean} [low] as a strip.
 */
function columnChart(label, columns, ticks, low = false) {
  return h(
    "div",
    { class: "histogram", role: "img", "aria-label": label },
    h(
      "div",
      { class: low ? "columns low" : "columns" },
      columns.map(({ title, bar }) => h("span", { class: "column", title }, bar)),
    ),
    h(
      "div",
      { class: "ticks" },
      ticks.map((tick) => h("span", {}, tick)),
    ),
  );
}

/** How strongly a latent fires; columns have the colours of notes of that activation. @param {Statistics} statistics */
export function strengthHistogram({ histogram: { edges, counts }, max }) {
  const most = Math.max(1, ...counts);
  const columns = counts.map((count, i) => ({
    title: `activation ${fixed(edges[i])} to ${fixed(edges[i + 1])}: ${counted(count, "token")}`,
    bar: inTheme(
      h("span", { style: { height: count ? `max(1px, ${widthOf(Math.sqrt(count / most))})` : "0" } }),
      (theme) => colourOf(Math.min(1, Math.sqrt(edges[i] * edges[i + 1]) / (max || 1)), theme),
    ),
  }));
  const ends = `from ${fixed(edges[0])} to ${fixed(edges.at(-1))}`;
  const label = `Histogram of activations ${ends}; most tokens lie near ${fixed(edges[counts.indexOf(most)])}.`;
  const ticks = [0, Math.floor(counts.length / 2), counts.length].map((i) => fixed(edges[i], edges[i] < 1 ? 2 : 1));
  return columnChart(label, columns, ticks);
}

/** How many pairs of latents have which score, from 0 to 1. @param {number[]} scores */
export function scoreHistogram(scores, bins = 20) {
  const counts = new Array(bins).fill(0);
  for (const score of scores) counts[Math.min(bins - 1, Math.max(0, Math.floor(score * bins)))] += 1;
  const most = Math.max(1, ...counts);
  const columns = counts.map((count, i) => ({
    title: `score ${fixed(i / bins)} to ${fixed((i + 1) / bins)}: ${counted(count, "pair")}`,
    bar: h("span", { class: "filled", style: { height: widthOf(count / most) } }),
  }));
  return columnChart("How many pairs have which score", columns, ["0", "score", "1"], true);
}
