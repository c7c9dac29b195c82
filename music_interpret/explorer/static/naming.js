// A latent's name in words, and lines of scores under it.

import { onALine } from "./charts.js";
import { h } from "./dom.js";
import { dot } from "./groups.js";
import { help } from "./help.js";
import { NEEDS_LONG } from "./words.js";

const NEXT = "next token: ";

/** The heading of a latent: its name as concepts with what joins them, or what stands in the way of one. */
export function nameInWords({ latent, live, name }, run) {
  if (!live) return h("h1", { tabindex: "-1" }, `Latent ${latent} never fires`);
  if (!name?.rule) {
    const why = !run.labelled
      ? "This run is not labelled yet."
      : name?.why
        ? `${sentence(name.why)}`
        : "Nothing was found that goes with it.";
    return h(
      "div",
      { class: "named" },
      h("h1", { tabindex: "-1", class: "none" }, `Latent ${latent}`),
      h("p", { class: "muted" }, why),
    );
  }
  const rule = atoms(name);
  return h(
    "div",
    { class: "named" },
    h("p", { class: "eyebrow" }, `Latent ${latent}`, help("latent", "a latent")),
    name.name ? h("h1", { tabindex: "-1" }, rule) : h("h1", { tabindex: "-1", class: "none" }, "No name"),
    name.name ? null : h("p", { class: "nearest-rule" }, "The nearest is: ", rule, help("rule", "the rule")),
    h("p", { class: "muted why" }, NEEDS_LONG[name.needs] ?? "", " ", sentence(name.why)),
  );
}

/** The rule with each concept marked by its group. */
function atoms(name) {
  if (!name.columns?.length) return name.rule;
  return name.columns.flatMap((column, i) => {
    const [before, words] = column.startsWith(NEXT)
      ? [h("span", { class: "next" }, NEXT), column.slice(NEXT.length)]
      : [null, column];
    const atom = h(
      "span",
      { class: "atom" },
      h("span", { class: "dot-with", title: name.groups[i] }, dot(name.groups[i])),
      before,
      words,
    );
    return i ? [h("span", { class: "operator" }, ` ${name.operators[i - 1]} `), atom] : [atom];
  });
}

/** "kept: the best …" as "Kept: the best …." */
function sentence(text) {
  const words = text
    .replace(/^kept: /, "This name is kept: ")
    .replace(/^none: /, "It gets no name: ")
    .replace(/\b(\d) atoms\b/, "$1 concepts together");
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

/** A titled part with its help. */
export function named(title, key, ...content) {
  return h(
    "section",
    { class: "sure" },
    h(
      "div",
      { class: "with-help" },
      h("h2", {}, title),
      h("span", { class: "muted small" }, "on test songs, with the interval of 95 %"),
      help(key, "the interval"),
    ),
    content,
  );
}

named.line = (key, title, drawn, value, more) =>
  h(
    "tr",
    {},
    h("th", { scope: "row" }, title, help(key, title)),
    h("td", { class: "drawn" }, onALine(drawn)),
    h("td", { class: "number" }, value),
    h("td", { class: "muted small" }, more),
  );

named.fact = (key, title, value) => h("div", {}, h("dt", {}, title, help(key, key)), h("dd", {}, value));
