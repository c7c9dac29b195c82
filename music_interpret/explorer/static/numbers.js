// The run in numbers, with plain words on each, and its latents' worth compared with the controls'.

import { help } from "./help.js";
import { bar } from "./views/bar.js";
import { h } from "./views/dom.js";
import { runFigures, runInWords } from "./views/run.js";
import { percent } from "./views/words.js";

/** @import { Run, SetLevel } from "./views/shapes" */
/** @import { Child } from "./views/types" */

/** @type {Record<string, string>} */
const CONTROLS = {
  sae: "this autoencoder",
  neurons: "raw neurons",
  context_neurons: "neurons less the token baseline",
  pca: "principal components",
  untrained: "untrained autoencoder",
  reinitialised: "re-initialised model",
};

/** @param {Run} run */
export function runInNumbers(run) {
  return h(
    "section",
    { class: "run", "aria-labelledby": "run-title" },
    h(
      "div",
      { class: "run-words" },
      h("h1", { id: "run-title", tabindex: "-1" }, run.run),
      h("p", { class: "lead" }, runInWords(run)),
    ),
    runFigures(run, help),
    run.set_level && worth(run.run, run.set_level),
    run.notices.map((notice) => h("p", { class: "notice" }, commanded(notice))),
  );
}

/** A command at the end of a sentence is set as one. @param {string} text @returns {Child} */
function commanded(text) {
  const at = text.indexOf("music-interpret ");
  return at < 0 ? text : [text.slice(0, at), h("code", {}, text.slice(at))];
}

/** Column, title and key of the help. @type {[Exclude<keyof SetLevel, "what" | "n_live">, string, string][]} */
const COLUMNS = [
  ["named", "Named", "named"],
  ["named_context", "… for more than the token", "named_context"],
  ["coverage", "Concepts found", "coverage"],
  ["coverage_context", "… in context", "context"],
  ["beyond_identity", "… better than the token", "beyond_identity"],
  ["monosemanticity", "True of the strongest", "monosemanticity"],
];

/**
 * What the latents of the autoencoder and of each control are worth.
 * @param {string} run
 * @param {SetLevel[]} levels
 */
function worth(run, levels) {
  const most = Object.fromEntries(
    COLUMNS.map(([key]) => [key, Math.max(...levels.map((row) => row[key] ?? 0), 0.0001)]),
  );
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, h("span", { class: "out-of-sight" }, "What")),
    COLUMNS.map(([, title, key]) => h("th", { scope: "col", class: "number" }, title, help(key, title))),
  );
  const rows = levels.map((row) =>
    h(
      "tr",
      { class: row.what === "sae" ? "mine" : null },
      h("th", { scope: "row" }, CONTROLS[row.what] ?? row.what.replaceAll("_", " ")),
      COLUMNS.map(([key]) =>
        h("td", { class: "number" }, percent(row[key]), levels.length > 1 ? bar(row[key] ?? 0, most[key]) : null),
      ),
    ),
  );
  const alone = levels.length === 1;
  return h(
    "details",
    { class: "worth", open: !alone },
    h("summary", {}, h("h2", {}, alone ? "What the names are worth" : "What the names are worth, next to controls")),
    h(
      "div",
      { class: "wide", tabindex: "0", role: "region", "aria-label": "Names and concepts found, next to controls" },
      h("table", {}, h("thead", {}, head), h("tbody", {}, rows)),
    ),
    alone
      ? h(
          "p",
          { class: "muted small" },
          "No controls were labelled with this run. What directions without an autoencoder reach by the same test is reported after: ",
          h("code", {}, `music-interpret label ${run} --controls`),
        )
      : null,
  );
}
