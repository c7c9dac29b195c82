// Latents that are near another, by direction and by firing together.

import { h } from "./dom.js";
import { latentWords } from "./name.js";
import { fixed } from "./words.js";

/** @import { Feature, Neighbour } from "./shapes" */
/** @import { Help } from "./types" */

/**
 * @param {Feature["nearest"]} nearest
 * @param {(latent: number) => string | null} linkOf where a latent's number leads; null for nowhere.
 * @param {Help} help
 */
export function nearest({ decoder, coactivation }, linkOf, help) {
  /** @param {string} title @param {string} key @param {Neighbour[]} neighbours */
  const part = (title, key, neighbours) =>
    h("div", {}, h("h3", {}, title, help(key, title)), neighbourList(neighbours, linkOf));
  return h(
    "div",
    { class: "fields" },
    part("by direction", "nearest_decoder", decoder),
    part("by firing together", "nearest_coactivation", coactivation),
  );
}

/** @param {Neighbour[]} neighbours @param {(latent: number) => string | null} linkOf */
function neighbourList(neighbours, linkOf) {
  if (!neighbours.length) return h("p", { class: "muted small" }, "none");
  return h(
    "ol",
    { class: "near" },
    neighbours.map(({ latent, name, score }) => {
      const [words, href] = [latentWords(latent, name), linkOf(latent)];
      return h(
        "li",
        {},
        href ? h("a", { href }, words) : h("span", {}, words),
        h("span", { class: "number muted" }, fixed(score)),
      );
    }),
  );
}
