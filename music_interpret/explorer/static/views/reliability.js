// How far the concepts of a name agree with experts: where the name itself may be wrong, however well the latent follows.

import { h } from "./dom.js";
import { fixed, percent, whole } from "./words.js";

/** @import { Name, Reliability } from "./shapes" */
/** @import { Help } from "./types" */

export const NEXT = "next token: ";

/** The concept of "next token: chord root: C". @param {string} column */
export const conceptOf = (column) => (column.startsWith(NEXT) ? column.slice(NEXT.length) : column).split(":")[0];

/** @param {Reliability[]} found @param {string} concept */
export const reliabilityOf = (found, concept) => found.find((one) => one.concept === concept);

/** Marks a concept that is an estimate. @param {Reliability | undefined} found @param {string} [more] */
export const mark = (found, more) =>
  found && h("span", { class: "estimate", title: found.words }, "≈", more && ` ${more}`);

/**
 * Of each concept of a name that was compared with experts', a sentence that opens to a table by corpus.
 * @param {Pick<Name, "columns">} name
 * @param {Reliability[]} reliability
 * @param {Help} help
 */
export function agreement({ columns }, reliability, help) {
  const concepts = new Set(columns.map(conceptOf));
  return reliability
    .filter(({ concept }) => concepts.has(concept))
    .map((found) =>
      h(
        "details",
        { class: "agreement" },
        h("summary", {}, `≈ ${found.words}`, help("agreement", "agreement with experts")),
        byCorpus(found),
      ),
    );
}

/** @param {Reliability} found */
function byCorpus({ measured, measure, corpora }) {
  const value = measure === "accuracy" ? percent : fixed;
  const table = h(
    "table",
    { class: "plain" },
    h("caption", {}, `${measured}, on corpora that nothing was fitted on`),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Corpus"),
        h("th", { scope: "col", class: "number" }, measure === "accuracy" ? "Same value" : measure),
        h("th", { scope: "col", class: "number" }, "95 % interval"),
        h("th", { scope: "col", class: "number" }, "Notes"),
      ),
    ),
    h(
      "tbody",
      {},
      corpora.map((row) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, row.corpus),
          h("td", { class: "number" }, value(row.value)),
          h("td", { class: "number" }, row.interval.map((end) => value(end)).join(" to ")),
          h("td", { class: "number" }, whole(row.notes)),
        ),
      ),
    ),
  );
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Agreement on ${measured}` }, table);
}
