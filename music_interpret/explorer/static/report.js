// The self-contained report: everything is drawn of the JSON in the file, and nothing is asked for.

import { excerptCard, legend } from "./pianoroll.js";
import { make } from "./roll/elements.js";
import { number } from "./roll/words.js";

const data = JSON.parse(document.getElementById("data").textContent);
const shown = new Set(data.latents.map((feature) => feature.latent));
const SMALL_HEIGHT = 150;
const KINDS = { topk: "TopK", batchtopk: "BatchTopK", jumprelu: "JumpReLU", relu: "ReLU" };
const EFFECTS =
  "What it adds, at its strongest, to the model's scores (logits) for the parts of the next token: + makes a value " +
  "more likely, − less likely. What later layers make of it is not counted.";

function percent(share, places = 1) {
  return `${(100 * share).toFixed(100 * share < 0.1 && share > 0 ? 2 : places)} %`;
}

function count(value, one, many = `${one}s`) {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

// The name, or what comes nearest to one, and whether it is a name.
function titleOf(feature) {
  if (feature.name?.name) return [feature.name.name, true];
  if (feature.name?.rule) return [`no name; the nearest is: ${feature.name.rule}`, false];
  return [feature.live ? "no name" : "dead: it never fires", false];
}

function soundUrl(address) {
  const sound = data.sounds[address];
  return sound ? `data:audio/ogg;base64,${sound}` : null;
}

// Build a part when it comes near the window, or for printing.
const waiting = new Map();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) buildNow(entry.target);
  },
  { rootMargin: "600px" },
);

function buildLater(element, build) {
  waiting.set(element, build);
  observer.observe(element);
}

function buildNow(element) {
  const build = waiting.get(element);
  waiting.delete(element);
  observer.unobserve(element);
  build?.();
}

function cards(parent, feature, excerpts, options) {
  const grid = make("div", "cards", parent);
  grid.style.minHeight = `${Math.min(excerpts.length, 2) * 120}px`;
  buildLater(grid, () => {
    grid.style.minHeight = "";
    const all = { maxValue: feature.statistics.max, soundUrl, ...options };
    for (const excerpt of excerpts) grid.append(excerptCard(excerpt, all));
  });
}

function bars(parent, fires) {
  const box = make("div", "", parent);
  make("h4", "", box, fires.what);
  const largest = Math.max(...fires.values.map((value) => Math.max(value.share, value.base_rate)), 0.01);
  for (const value of fires.values) {
    const row = make("div", "bar", box);
    make("span", "word", row, value.word).title = value.word;
    const of = make("span", "of", row);
    make("i", "", of).style.width = `${(100 * value.share) / largest}%`;
    make("b", "", of).style.width = `${(100 * value.base_rate) / largest}%`;
    make("span", "share", row, percent(value.share, 0));
    row.title = `${value.word}: ${percent(value.share)} of its firings, ${percent(value.base_rate)} of all tokens`;
  }
}

function effectList(parent, effect) {
  const box = make("div", "", parent);
  make("h4", "", box, effect.field);
  const largest = Math.max(...[...effect.promotes, ...effect.suppresses].map(([, by]) => Math.abs(by)), 1e-9);
  for (const [word, by] of [...effect.promotes.slice(0, 4), ...effect.suppresses.slice(0, 2)]) {
    const row = make("div", "bar", box);
    make("span", "word", row, word).title = word;
    const of = make("span", "of", row);
    const bar = make("i", "", of);
    bar.style.width = `${(100 * Math.abs(by)) / largest}%`;
    if (by < 0) bar.style.background = "var(--mi-muted)";
    make("span", "share", row, `${by > 0 ? "+" : "−"}${number(Math.abs(by))}`);
  }
}

function folded(parent, title, help, build) {
  const details = make("details", "", parent);
  make("summary", "", details, title);
  let made = false;
  details.addEventListener("toggle", () => {
    if (!details.open || made) return;
    made = true;
    if (help) make("p", "help", details, help);
    build(details);
  });
}

function near(parent, title, neighbours) {
  if (!neighbours.length) return;
  make("h4", "", parent, title);
  const list = make("ul", "near", parent);
  for (const neighbour of neighbours) {
    const item = make("li", "", list);
    const words = `${neighbour.latent}${neighbour.name ? ` ${neighbour.name}` : ""} `;
    if (shown.has(neighbour.latent)) make("a", "", item, words).href = `#latent-${neighbour.latent}`;
    else item.append(words);
    make("span", "", item, neighbour.score.toFixed(2));
  }
}

function statistics(section, { density, n_songs, max, mean, n_firings }) {
  const line = make("p", "stats", section);
  for (const [value, words] of [
    [percent(density), `of tokens (${count(n_firings, "firing")})`],
    [count(n_songs, "song"), `of ${data.run.n_songs.toLocaleString("en")}`],
    [number(max), "largest activation"],
    [number(mean), "mean when it fires"],
  ]) {
    const item = make("span", "", line);
    make("b", "", item, value);
    item.append(` ${words}`);
  }
}

function latent(parent, feature) {
  const section = make("section", "latent", parent);
  section.id = `latent-${feature.latent}`;
  const [title, named] = titleOf(feature);
  const head = make("h2", "", section);
  make("a", "", head, String(feature.latent)).href = `#${section.id}`;
  make("span", named ? "" : "nameless", head, title);
  for (const line of feature.described.split("\n").slice(1)) make("p", "scores", section, line.trim());
  if (!feature.live) return section;
  statistics(section, feature.statistics);
  for (const group of feature.examples) {
    if (group.kind === "top") {
      make("h3", "", section, group.title);
      make("p", "help", section, group.help);
      legend(make("div", "key", section), feature.statistics.max);
      cards(section, feature, group.excerpts, {});
    } else {
      folded(section, group.title, group.help, (details) =>
        cards(details, feature, group.excerpts, { play: false, height: SMALL_HEIGHT }),
      );
    }
  }
  folded(section, "When it fires", feature.fires_when[0]?.help, (details) => {
    const columns = make("div", "columns", details);
    for (const fires of feature.fires_when) bars(columns, fires);
  });
  folded(section, "What it does to the next token", EFFECTS, (details) => {
    const columns = make("div", "columns", details);
    for (const effect of feature.effects) effectList(columns, effect);
  });
  folded(section, "Latents near it", null, (details) => {
    near(details, "by direction (cosine)", feature.nearest.decoder);
    near(details, "by firing on the same tokens", feature.nearest.coactivation);
  });
  return section;
}

function facts(parent) {
  const { run } = data;
  const list = make("dl", "facts", parent);
  const fact = (words, value, help) => {
    const box = make("div", "", list);
    make("dt", "", box, words);
    make("dd", "", box, value);
    if (help) box.title = help;
  };
  fact("songs", run.n_songs.toLocaleString("en"));
  fact("tokens", run.n_tokens.toLocaleString("en"));
  fact("live latents", `${run.n_live.toLocaleString("en")} of ${run.d_sae.toLocaleString("en")}`, run.help.dead);
  if (run.labelled) fact("named", run.n_named.toLocaleString("en"), run.help.named);
  const held = run.held_out?.test ?? run.held_out?.valid;
  if (held) {
    const split = run.held_out.test ? "test" : "valid";
    fact(`L0, ${split} songs`, held.l0.toFixed(1), run.help.l0);
    fact(`FVU, ${split} songs`, held.fvu.toFixed(3), run.help.fvu);
  }
}

function how(parent) {
  const details = make("details", "how", parent);
  make("summary", "", details, "What the words mean");
  const list = make("dl", "", details);
  const words = ["latent", "activation", "density", "l0", "fvu", "rule", "mcc", "f1", "precision", "recall", "split"];
  for (const word of words) {
    if (!data.run.help[word]) continue;
    make("dt", "", list, /^(l0|fvu|mcc|f1)$/.test(word) ? word.toUpperCase() : word);
    make("dd", "", list, data.run.help[word]);
  }
}

function isDark() {
  const said = document.documentElement.dataset.theme;
  return said ? said === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function top(parent) {
  const line = make("div", "top", parent);
  make("h1", "", line, `Features of ${data.run.run}`);
  const button = make("button", "theme", line, isDark() ? "Light" : "Dark");
  button.type = "button";
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    button.textContent = isDark() ? "Light" : "Dark";
  });
  const { run } = data;
  const what = `A ${KINDS[run.architecture] ?? run.architecture} sparse autoencoder of layer ${run.layer} of a music transformer, read on ${run.dataset}.`;
  make(
    "p",
    "lead",
    parent,
    `${what} Shown here: ${data.choice}. Notes are coloured by activation; the ring is the token that the line above it names.`,
  );
  for (const notice of run.notices) make("p", "notice", parent, notice);
  facts(parent);
  how(parent);
}

function contents(parent, sections) {
  const side = make("nav", "side", parent);
  side.setAttribute("aria-label", "Latents");
  const search = make("input", "", side);
  search.type = "search";
  search.placeholder = "Search names and numbers";
  search.setAttribute("aria-label", "Search names and numbers");
  const found = make("div", "found", side);
  found.setAttribute("role", "status");
  const list = make("div", "list", side);
  const links = data.latents.map((feature) => {
    const link = make("a", "link", list);
    link.href = `#latent-${feature.latent}`;
    const [title, named] = titleOf(feature);
    make("span", "number", link, String(feature.latent));
    make("span", named ? "" : "nameless", link, title);
    make("span", "score", link, named ? feature.name.mcc.toFixed(2) : "").title = "MCC on test songs";
    return link;
  });
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    data.latents.forEach((feature, i) => {
      const text = `${feature.latent} ${titleOf(feature)[0]}`.toLowerCase();
      const fits = words.every((word) => text.includes(word));
      links[i].hidden = !fits;
      sections[i].hidden = !fits;
      n += fits ? 1 : 0;
    });
    found.textContent = n ? `${count(n, "latent")}${words.length ? " found" : ""}` : "no latent has these words";
  };
  search.addEventListener("input", filter);
  filter();
  markCurrent(links, sections);
}

// Mark the link of the section that is being read.
function markCurrent(links, sections) {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries)
        links[sections.indexOf(entry.target)].setAttribute("aria-current", String(entry.isIntersecting));
    },
    { rootMargin: "-20% 0px -75% 0px" },
  );
  for (const section of sections) seen.observe(section);
}

// Rolls are pictures on the page, so for paper they are all drawn, and on light ground.
let themeBefore = null;

function beforePrint() {
  themeBefore = document.documentElement.dataset.theme ?? "";
  document.documentElement.dataset.theme = "light";
  for (const element of [...waiting.keys()]) buildNow(element);
  for (const card of document.querySelectorAll(".mi-card")) card.pianoRoll.drawNow();
}

function afterPrint() {
  if (themeBefore) document.documentElement.dataset.theme = themeBefore;
  else delete document.documentElement.dataset.theme;
}

const layout = make("div", "layout", document.getElementById("report"));
top(make("header", "head", layout));
const main = make("main", "main");
const sections = data.latents.map((feature) => latent(main, feature));
contents(layout, sections);
layout.append(main);
make(
  "p",
  "foot",
  main,
  `Written by Music Interpret ${data.version}. Sound from the model's notes at 100 quarter notes a minute.`,
);
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", afterPrint);
// The sections were not there when the browser first looked for the address's #latent-….
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
document.documentElement.dataset.ready = "true";
