// How a latent fires over the whole set, in numbers and in words.

import { h } from "./dom.js";
import { counted, number, oneIn, percent, whole } from "./words.js";

/** @import { Statistics } from "./shapes" */
/** @import { Help } from "./types" */

/** @param {Statistics} statistics @param {Help} help */
export function latentFacts({ density, max, mean, n_songs }, help) {
  /** @param {string} title @param {string | null} key @param {string} value @param {string} [more] */
  const fact = (title, key, value, more) =>
    h("div", {}, h("dt", {}, title, key && help(key, title)), h("dd", {}, value, more && h("small", {}, more)));
  return h(
    "dl",
    { class: "facts" },
    fact("fires on", "density", percent(density), oneIn(density)),
    fact("at most", "max", number(max)),
    fact("on average", "mean", number(mean)),
    fact("in", null, whole(n_songs), n_songs === 1 ? "song" : "songs"),
  );
}

/** @param {Statistics} statistics */
export function firingsInWords({ n_firings, n_tokens, quantiles }) {
  const median = quantiles.find(([share]) => share === 0.5)?.[1] ?? null;
  return `${counted(n_firings, "firing")} in ${counted(n_tokens, "token")}; half of them above ${number(median)}.`;
}

/** @param {Statistics} statistics */
export function statisticsInWords({ density, max, n_songs }) {
  return `fires on ${percent(density)} of tokens, in ${counted(n_songs, "song")}; at most ${number(max)}`;
}
