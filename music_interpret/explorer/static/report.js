// The self-contained report: everything is drawn of the JSON in the file, and nothing is asked for.

import { h } from "./views/dom.js";
import { effectFields } from "./views/effects.js";
import { cards } from "./views/examples.js";
import { firesWhen } from "./views/fires.js";
import { helpFrom } from "./views/help.js";
import { Later } from "./views/later.js";
import { nameOfFeature, scoreLines } from "./views/name.js";
import { nearest } from "./views/near.js";
import { legend } from "./views/roll/legend.js";
import { runFigures, runInWords } from "./views/run.js";
import { firingsInWords, latentFacts } from "./views/statistics.js";
import { themeOf } from "./views/theme.js";
import { counted, fixed, searched } from "./views/words.js";

/** @import { Examples, Feature, Run } from "./views/shapes" */
/** @import { Child } from "./views/types" */

/** @type {{version: string, run: Run, choice: string, latents: Feature[], sounds: Record<string, string>}} */
const data = JSON.parse(document.getElementById("data")?.textContent ?? "");
const { run } = data;
const help = helpFrom(run.help);
const later = new Later();
const listed = new Set(data.latents.map((feature) => feature.latent));
const SMALL_HEIGHT = 150;
const EXPLAINED = [
  "latent",
  "activation",
  "density",
  "l0",
  "fvu",
  "rule",
  "mcc",
  "f1",
  "precision",
  "recall",
  "agreement",
  "split",
];
const CAPITALS = ["l0", "fvu", "mcc", "f1"];

/** @param {string} address */
function soundUrl(address) {
  const sound = data.sounds[address];
  return sound ? `data:audio/ogg;base64,${sound}` : null;
}

/** @param {Feature} feature */
function title(feature) {
  const { words, named } = nameOfFeature(feature);
  return h("span", { class: named ? null : "nameless" }, words);
}

/** A part that is built when it is first opened. @param {string} words @param {() => Child} build */
function folded(words, build) {
  const details = h("details", {}, h("summary", {}, words));
  details.addEventListener("toggle", () => details.append(h("div", {}, build())), { once: true });
  return details;
}

/** @param {Feature} feature */
function latent(feature) {
  const id = `latent-${feature.latent}`;
  return h(
    "section",
    { class: "latent", id },
    h("h2", {}, h("a", { href: `#${id}` }, feature.latent), title(feature)),
    scoreLines(feature.described).map((line) => h("p", { class: "score-line" }, line)),
    feature.live && [
      latentFacts(feature.statistics, help),
      feature.examples.map((group) => examples(feature, group)),
      folded("When it fires", () => [
        hint(firingsInWords(feature.statistics)),
        feature.fires_when.slice(0, 1).map((first) => hint(first.help)),
        firesWhen(feature.fires_when, help),
      ]),
      folded("What it does to the next token", () => [hint(run.help.effects), effectFields(feature.effects)]),
      folded("Latents near it", () => nearest(feature.nearest, linkOf, help)),
    ],
  );
}

/** @param {string} words */
const hint = (words) => h("p", { class: "hint" }, words);

/** @param {number} other */
const linkOf = (other) => (listed.has(other) ? `#latent-${other}` : null);

/** The strongest with sound; others folded and small. @param {Feature} feature @param {Examples} group @returns {Child} */
function examples({ statistics: { max } }, group) {
  const hinted = hint(group.help);
  if (group.kind === "top") {
    const drawn = cards(group.excerpts, later, { maxValue: max, soundUrl });
    return [h("h3", {}, group.title), hinted, h("div", { class: "key" }, legend(max)), drawn];
  }
  const options = { maxValue: max, play: false, height: SMALL_HEIGHT };
  return folded(group.title, () => [hinted, cards(group.excerpts, later, options)]);
}

function top() {
  const root = document.documentElement;
  const label = () => (themeOf(root) === "dark" ? "Light" : "Dark");
  const button = h("button", { class: "theme", type: "button" }, label());
  button.addEventListener("click", () => {
    root.dataset.theme = themeOf(root) === "dark" ? "light" : "dark";
    button.textContent = label();
  });
  const rolls = "Notes are coloured by activation; the ring is the token that the line above it names.";
  return h(
    "header",
    { class: "head" },
    h("div", { class: "top" }, h("h1", {}, `Features of ${run.run}`), button),
    h("p", { class: "lead" }, `${runInWords(run)} Shown here: ${data.choice}. ${rolls}`),
    run.notices.map((notice) => h("p", { class: "notice" }, notice)),
    runFigures(run, help),
    h("details", { class: "how" }, h("summary", {}, "What the words mean"), h("dl", {}, EXPLAINED.map(explained))),
  );
}

/** @param {string} word @returns {Child} */
const explained = (word) => [
  h("dt", {}, CAPITALS.includes(word) ? word.toUpperCase() : word),
  h("dd", {}, run.help[word]),
];

/** @param {HTMLElement[]} sections */
function contents(sections) {
  const words = "Search names and numbers";
  const search = h("input", { type: "search", placeholder: words, "aria-label": words });
  const found = h("div", { class: "found", role: "status" });
  const links = data.latents.map((feature) => {
    const score = nameOfFeature(feature).named ? fixed(feature.name?.mcc) : "";
    return h(
      "a",
      { class: "link", href: `#latent-${feature.latent}` },
      h("span", { class: "number" }, feature.latent),
      title(feature),
      h("span", { class: "score", title: "MCC on test songs" }, score),
    );
  });
  const filter = () => {
    const fits = searched(search.value);
    let n = 0;
    for (const [i, feature] of data.latents.entries()) {
      const hidden = !fits(`${feature.latent} ${nameOfFeature(feature).words}`);
      links[i].hidden = sections[i].hidden = hidden;
      n += hidden ? 0 : 1;
    }
    found.textContent = n
      ? `${counted(n, "latent")}${search.value.trim() ? " found" : ""}`
      : "no latent has these words";
  };
  search.addEventListener("input", filter);
  filter();
  markCurrent(links, sections);
  return h("nav", { class: "side", "aria-label": "Latents" }, search, found, h("div", { class: "list" }, links));
}

/** Mark the link of the section that is being read. @param {HTMLElement[]} links @param {HTMLElement[]} sections */
function markCurrent(links, sections) {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        links[sections.findIndex((section) => section === target)].setAttribute("aria-current", String(isIntersecting));
    },
    { rootMargin: "-20% 0px -75% 0px" },
  );
  for (const section of sections) seen.observe(section);
}

// Rolls are pictures on the page, so for paper they are all drawn, and on light ground.
let themeBefore = "";

addEventListener("beforeprint", () => {
  themeBefore = document.documentElement.dataset.theme ?? "";
  document.documentElement.dataset.theme = "light";
  later.drawAll();
  for (const card of document.querySelectorAll("article")) card.pianoRoll?.drawNow();
});
addEventListener("afterprint", () => {
  if (themeBefore) document.documentElement.dataset.theme = themeBefore;
  else delete document.documentElement.dataset.theme;
});

const sections = data.latents.map((feature) => latent(feature));
const foot = `Written by Music Interpret ${data.version}. Sound of the model's notes at 100 quarter notes per minute.`;
const main = h("main", { class: "main" }, sections, h("p", { class: "foot" }, foot));
document.getElementById("report")?.append(h("div", { class: "layout" }, top(), contents(sections), main));
// The sections were not there when the browser first looked for the address's #latent-….
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
document.documentElement.dataset.ready = "true";
