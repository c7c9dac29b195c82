// What a latent is called: its name, what comes nearest to one, or why there is none.

import { h } from "./dom.js";
import { dot } from "./groups.js";
import { agreement, conceptOf, mark, NEXT, reliabilityOf } from "./reliability.js";
import { NEEDS_LONG } from "./words.js";

/** @import { Feature, Name, Reliability, Run } from "./shapes" */
/** @import { Child, Help } from "./types" */

/**
 * Words that stand for a latent, and whether they are a name.
 * @param {string | null | undefined} name
 * @param {string | null | undefined} rule
 * @param {boolean} live
 */
export function nameOf(name, rule, live) {
  if (name) return { words: name, named: true };
  if (rule) return { words: `no name; the nearest is: ${rule}`, named: false };
  return { words: live ? "no name" : "dead: it never fires", named: false };
}

/** @param {Pick<Feature, "name" | "live">} feature */
export const nameOfFeature = ({ name, live }) => nameOf(name?.name, name?.rule, live);

/** The number of a latent and its name. @param {number} latent @param {string | null} name @returns {Child[]} */
export const latentWords = (latent, name) => [
  h("span", { class: "number" }, latent),
  " ",
  h("span", { class: name ? null : "muted" }, name ?? "no name"),
];

/** The lines of a described name that follow the name itself: scores, and what it rests on. @param {string} described */
export const scoreLines = (described) =>
  described
    .split("\n")
    .slice(1)
    .map((line) => line.trim());

/**
 * A latent's name as a heading, as concepts with what joins them, and the reason for it or against one.
 * @param {Pick<Feature, "latent" | "live" | "name" | "reliability">} feature
 * @param {Pick<Run, "labelled">} run
 * @param {Help} help
 */
export function nameHeading({ latent, live, name, reliability }, run, help) {
  if (!live) return h("h1", { tabindex: "-1" }, `Latent ${latent} never fires`);
  if (!name?.rule) {
    const why = name?.why ? sentence(name.why) : "Nothing was found that goes with it.";
    return h(
      "div",
      { class: "named" },
      h("h1", { tabindex: "-1", class: "none" }, `Latent ${latent}`),
      h("p", { class: "muted" }, run.labelled ? why : "This run is not labelled yet."),
    );
  }
  const rule = atoms(name, reliability);
  return h(
    "div",
    { class: "named" },
    h("p", { class: "eyebrow" }, `Latent ${latent}`, help("latent", "a latent")),
    h("h1", { tabindex: "-1", class: name.name ? null : "none" }, name.name ? rule : "No name"),
    !name.name && h("p", { class: "nearest-rule" }, "The nearest is: ", rule, help("rule", "the rule")),
    h("p", { class: "muted why" }, NEEDS_LONG[name.needs], " ", sentence(name.why)),
    agreement(name, reliability, help),
  );
}

/**
 * The rule with each concept marked by its group, and as an estimate where it is one.
 * @param {Name} name
 * @param {Reliability[]} reliability
 * @returns {Child[]}
 */
function atoms({ columns, groups, operators, rule }, reliability) {
  if (!columns.length) return [rule];
  return columns.map((column, i) => {
    const next = column.startsWith(NEXT);
    return [
      i > 0 && h("span", { class: "operator" }, ` ${operators[i - 1]} `),
      h(
        "span",
        { class: "atom" },
        h("span", { class: "dot-with", title: groups[i] }, dot(groups[i])),
        next && h("span", { class: "next" }, NEXT),
        next ? column.slice(NEXT.length) : column,
        mark(reliabilityOf(reliability, conceptOf(column))),
      ),
    ];
  });
}

/** "kept: the best …" as "This name is kept: the best …." @param {string} text */
function sentence(text) {
  const words = text
    .replace(/^kept: /, "This name is kept: ")
    .replace(/^none: /, "It gets no name: ")
    .replace(/\b(\d) atoms\b/, "$1 concepts together");
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}
