// One latent: what it is called and how sure that is, where it fires, to see and to hear, and what it does.

import { go, params, queryOf } from "../address.js";
import { get } from "../api.js";
import { help } from "../help.js";
import { songLink } from "../latents.js";
import { OwnLabel } from "../own.js";
import { conceptTable } from "../views/concepts.js";
import { fill, h } from "../views/dom.js";
import { effectFields } from "../views/effects.js";
import { exampleGroups } from "../views/examples.js";
import { firesWhen } from "../views/fires.js";
import { strengthHistogram } from "../views/histogram.js";
import { nameHeading } from "../views/name.js";
import { nearest } from "../views/near.js";
import { stopPlaying } from "../views/pianoroll.js";
import { nameScores } from "../views/scores.js";
import { firingsInWords, latentFacts } from "../views/statistics.js";
import { Walk } from "../walk.js";

/** @import { OwnedFeature, Shown, Visit } from "../types" */
/** @import { Excerpt, Run } from "../views/shapes" */
/** @import { Child } from "../views/types" */

const COUNTS = [4, 8, 16, 32];
const USUAL = 8;
const PARTS = [
  ["examples", "Examples"],
  ["effects", "Effects"],
  ["when", "When it fires"],
  ["nearest", "Nearest"],
  ["concepts", "Concepts"],
];
const DEAD =
  "This latent is dead: it fires on no token of these songs, so there is nothing to see or hear. It takes a place in " +
  "the dictionary and does nothing.";

/** @param {HTMLElement} main @param {Visit} visit @returns {Promise<Shown>} */
export async function show(main, { run, given, query, signal }) {
  const latent = Number(given);
  const count = COUNTS.find((n) => n === Number(query.get("examples"))) ?? USUAL;
  if (!main.querySelector(".feature")) fill(main, h("div", { class: "waiting", "aria-hidden": "true" }));
  const feature = await get(`/api/feature/${latent}?examples=${count}`, signal);
  const own = new OwnLabel(latent, feature.own);
  const walk = new Walk(latent, feature.d_sae);
  const songUrl = (/** @type {Excerpt} */ excerpt) => songLink(latent, excerpt, excerpt.token);
  const examples = exampleGroups(feature, {
    songUrl,
    onOpen: (excerpt, token) => go(songLink(latent, excerpt, token)),
  });
  fill(
    main,
    h(
      "article",
      { class: "feature" },
      head(feature, run, own, walk),
      feature.live ? contents() : h("p", { class: "notice" }, DEAD),
      h(
        "div",
        { class: "two" },
        h("div", { class: "wider" }, feature.live && examplesSection(examples, count), concepts(feature, run)),
        h("div", { class: "rail" }, rail(feature)),
      ),
    ),
  );
  return {
    title: `Latent ${latent}${feature.name?.name ? `: ${feature.name.name}` : ""}`,
    destroy: () => {
      stopPlaying();
      own.flush();
      examples.destroy();
    },
    keys: {
      j: () => walk.step(1),
      ArrowRight: () => walk.step(1),
      k: () => walk.step(-1),
      ArrowLeft: () => walk.step(-1),
      " ": () => examples.playFirst(),
      s: () => own.toggleStar(),
      l: () => own.focus(),
    },
    told: [
      ["j / k", "next, previous latent (→ and ← too)"],
      ["Space", "play or stop the first example, or the one with the focus"],
      ["← / →", "in a roll: from note to note; Enter opens the song there"],
      ["s", "star"],
      ["l", "own label"],
    ],
  };
}

function contents() {
  return h(
    "nav",
    { class: "contents", "aria-label": "On this page" },
    PARTS.map(([id, title]) => h("a", { href: `#${id}` }, title)),
  );
}

/** @param {OwnedFeature} feature @param {Run} run @param {OwnLabel} own @param {Walk} walk */
function head(feature, run, own, walk) {
  const { name } = feature;
  return h(
    "header",
    { class: "head" },
    walk.element,
    h(
      "div",
      { class: "two" },
      h("div", { class: "wider" }, nameHeading(feature, run, help), name?.rule && nameScores(name, help)),
      h("div", { class: "rail" }, feature.live && latentFacts(feature.statistics, help), own.element),
    ),
  );
}

/** @param {string} id @param {string} title @param {string | null} key of the help. @param {Child[]} content */
function section(id, title, key, ...content) {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("div", { class: "with-help" }, h("h2", { id: `${id}-title` }, title), key && help(key, title)),
    content,
  );
}

/** @param {ReturnType<typeof exampleGroups>} examples @param {number} count */
function examplesSection(examples, count) {
  const options = COUNTS.map((n) => h("option", { value: n, selected: n === count }, `${n} of each`));
  const select = h("select", { "aria-label": "Examples of each kind" }, options);
  select.addEventListener("change", () => {
    const query = params();
    query.set("examples", select.value);
    if (Number(select.value) === USUAL) query.delete("examples");
    go(`${location.pathname}${queryOf(query)}#examples`);
  });
  return h(
    "section",
    { id: "examples", "aria-labelledby": "examples-title" },
    h(
      "div",
      { class: "with-help spread" },
      h("h2", { id: "examples-title" }, "Examples"),
      help("activation", "Activation"),
      examples.legend,
      select,
    ),
    examples.element,
  );
}

/** What stands at the side. @param {OwnedFeature} feature @returns {Child[]} */
function rail({ live, statistics, effects, fires_when, nearest: near }) {
  const fields = effectFields(effects);
  const words = h("p", { class: "muted small" }, firingsInWords(statistics));
  return [
    live && section("strength", "How strongly it fires", "histogram", strengthHistogram(statistics), words),
    fields && section("effects", "What it makes the model expect next", "effects", fields),
    live && section("when", "When it fires", null, firesWhen(fires_when, help)),
    section(
      "nearest",
      "Nearest latents",
      null,
      nearest(near, (latent) => `/feature/${latent}`, help),
    ),
  ];
}

/** @param {OwnedFeature} feature @param {Run} run */
function concepts({ labels, reliability }, run) {
  if (!run.labelled) {
    const command = h("code", {}, `music-interpret label ${run.run}`);
    return section(
      "concepts",
      "Concepts",
      null,
      h("p", { class: "notice" }, "This run has no labels yet. They come from: ", command),
    );
  }
  if (!labels.length) return null;
  return section(
    "concepts",
    "The concepts that follow it best, one by one",
    "rule",
    conceptTable(labels, reliability, help),
  );
}
