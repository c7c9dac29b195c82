// One latent: what it is called and how sure that is, where it fires, to see and to hear, and what it does.

import { go, params, queryOf } from "../address.js";
import { get } from "../api.js";
import { againstBase, diverging, histogram } from "../charts.js";
import { fill, h } from "../dom.js";
import { exampleGroups } from "../examples.js";
import { help } from "../help.js";
import { featureLink, Latents, listQuery } from "../latents.js";
import { named, nameInWords } from "../naming.js";
import { OwnLabel } from "../own.js";
import { stopPlaying } from "../pianoroll.js";
import { fixed, NEEDS, oneIn, percent, signed, whole } from "../words.js";

const COUNTS = [4, 8, 16, 32];
const FIELDS = {
  type: "kind of token",
  beat: "beat",
  position: "position in the beat",
  pitch: "pitch",
  duration: "duration",
  instrument: "instrument",
};
const PARTS = [
  ["examples", "Examples"],
  ["effects", "Effects"],
  ["when", "When it fires"],
  ["nearest", "Nearest"],
  ["concepts", "Concepts"],
];

export async function show(main, { run, given, query, signal }) {
  const latent = Number(given);
  const count = COUNTS.includes(Number(query.get("examples"))) ? Number(query.get("examples")) : 8;
  if (!main.querySelector(".feature")) fill(main, h("div", { class: "waiting", "aria-hidden": "true" }));
  const feature = await get(`/api/feature/${latent}?examples=${count}`, signal);
  const own = new OwnLabel(latent, feature.own);
  const walk = h("nav", { class: "walk", "aria-label": "Other latents" });
  const page = h("article", { class: "feature" }, head(feature, run, own, walk));
  const examples = feature.live ? exampleGroups(feature, { songUrl: (excerpt) => songLink(latent, excerpt) }) : null;
  if (!feature.live)
    page.append(
      h(
        "p",
        { class: "notice" },
        "This latent is dead: it fires on no token of these songs, so there is nothing to see or hear. It takes a place in the dictionary and does nothing.",
      ),
    );
  page.append(
    feature.live ? contents() : null,
    h(
      "div",
      { class: "two" },
      h("div", { class: "wider" }, feature.live ? examplesSection(examples, count) : null, concepts(feature, run)),
      h(
        "div",
        { class: "rail" },
        feature.live ? strength(feature) : null,
        effects(feature),
        feature.live ? when(feature) : null,
        nearest(feature),
      ),
    ),
  );
  fill(main, page);
  const step = walker(latent, feature.d_sae, walk);
  return {
    title: `Latent ${latent}${feature.name?.name ? `: ${feature.name.name}` : ""}`,
    destroy: () => {
      stopPlaying();
      own.flush();
      examples?.destroy();
    },
    keys: {
      j: () => step(1),
      ArrowRight: () => step(1),
      k: () => step(-1),
      ArrowLeft: () => step(-1),
      " ": () => examples?.playFirst(),
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

export const songLink = (latent, { roll, token }) =>
  `/song/${roll.song}?tracks=${latent}&latent=${latent}&token=${token}`;

function contents() {
  return h(
    "nav",
    { class: "contents", "aria-label": "On this page" },
    PARTS.map(([id, title]) => h("a", { href: `#${id}` }, title)),
  );
}

/** The latent before and the one after, in the order of the list that the address carries, else by number. */
function walker(latent, n, walk) {
  const query = params();
  const listed = [...listQuery(query, { page: false }).keys()].length > 0;
  let order = null;
  let at = latent;
  const neighbour = (by) => {
    if (!order) return latent + by >= 0 && latent + by < n ? latent + by : null;
    return at < 0 ? (order[0] ?? null) : (order[at + by] ?? null);
  };
  const link = (by, title, key) => {
    const to = neighbour(by);
    const props = { class: "quiet small", rel: by < 0 ? "prev" : "next", title: `${title} latent (${key})` };
    return to === null
      ? h("span", { ...props, "aria-disabled": "true" }, title)
      : h("a", { ...props, href: to_(to) }, title);
  };
  const to_ = (to) =>
    featureLink(to, query) + (query.get("examples") ? `${listed ? "&" : "?"}examples=${query.get("examples")}` : "");
  const draw = () => {
    const back = `/${queryOf(listQuery(query))}`;
    const where = order
      ? at < 0
        ? `not among the ${whole(order.length)} of the list`
        : `${whole(at + 1)} of ${whole(order.length)} in the list`
      : null;
    fill(
      walk,
      h("a", { class: "quiet small", href: back }, listed ? "↑ The list" : "↑ All latents"),
      link(-1, "← Previous", "k"),
      h("span", { class: "muted small" }, where ?? `Latent ${latent} of ${whole(n)}`),
      link(1, "Next →", "j"),
    );
  };
  draw();
  if (listed)
    get("/api/latents").then(
      (columns) => {
        const latents = new Latents(columns);
        order = latents.chosen(query).map((i) => latents.latent[i]);
        at = order.indexOf(latent);
        draw();
      },
      () => {},
    );
  return (by) => {
    const to = neighbour(by);
    if (to !== null) go(to_(to));
  };
}

function head(feature, run, own, walk) {
  const { name, statistics } = feature;
  return h(
    "header",
    { class: "head" },
    walk,
    h(
      "div",
      { class: "two" },
      h("div", { class: "wider" }, nameInWords(feature, run), name?.rule ? scores(name) : null),
      h("div", { class: "rail" }, feature.live ? h("dl", { class: "facts" }, facts(statistics)) : null, own.element),
    ),
  );
}

function facts(statistics) {
  const fact = (key, title, value, more) =>
    h("div", {}, h("dt", {}, title, help(key, title)), h("dd", {}, value, more ? h("small", {}, more) : null));
  return [
    fact("density", "fires on", percent(statistics.density), oneIn(statistics.density)),
    fact("max", "at most", fixed(statistics.max)),
    fact("mean", "on average", fixed(statistics.mean)),
    h(
      "div",
      {},
      h("dt", {}, "in"),
      h("dd", {}, whole(statistics.n_songs), h("small", {}, statistics.n_songs === 1 ? "song" : "songs")),
    ),
  ];
}

/** The scores of the name, each on one line from 0 to 1 with its interval and what to compare it with. */
function scores(name) {
  const scale = (values) => ({ from: Math.min(0, ...values.filter(Number.isFinite)), to: 1 });
  const [mccLow, mccHigh] = name.mcc_interval;
  const [f1Low, f1High] = name.f1_interval;
  return named(
    "How sure that is",
    "interval",
    h(
      "table",
      { class: "scores" },
      h("caption", { class: "out-of-sight" }, "Scores of the name on test songs"),
      h(
        "tbody",
        {},
        named.line(
          "mcc",
          "MCC",
          { value: name.mcc, low: mccLow, high: mccHigh, ...scale([mccLow]) },
          `${fixed(name.mcc)}`,
          `${fixed(mccLow)} to ${fixed(mccHigh)}`,
        ),
        named.line(
          "f1",
          "F1",
          {
            value: name.f1,
            low: f1Low,
            high: f1High,
            marks: [
              { at: name.always_on_f1, kind: "always", word: `always on: ${fixed(name.always_on_f1)}` },
              { at: name.identity_f1, kind: "token", word: `${name.identity}: ${fixed(name.identity_f1)}` },
            ],
          },
          fixed(name.f1),
          `${fixed(f1Low)} to ${fixed(f1High)}`,
        ),
        named.line(
          "precision",
          "precision",
          { value: name.precision },
          percent(name.precision),
          "of its firings the name is true",
        ),
        named.line("recall", "recall", { value: name.recall }, percent(name.recall), "of true tokens it fires"),
      ),
    ),
    h(
      "dl",
      { class: "beside" },
      named.fact(
        "always_on_f1",
        h("span", {}, h("i", { class: "swatch always" }), "always on"),
        `F1 ${fixed(name.always_on_f1)}`,
      ),
      named.fact(
        "gain",
        h("span", {}, h("i", { class: "swatch token" }), `the token's own “${name.identity || "–"}”`),
        `F1 ${fixed(name.identity_f1)}; gain ${signed(name.gain)}`,
      ),
      named.fact("base_rate", "true of", `${percent(name.base_rate)} of tokens`),
      named.fact("q", "chance (q)", name.q < 0.001 ? "< 0.001" : fixed(name.q, 3)),
      named.fact("threshold", "on from", fixed(name.threshold)),
    ),
  );
}

function section(id, title, key, ...content) {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("div", { class: "with-help" }, h("h2", { id: `${id}-title` }, title), key ? help(key, title) : null),
    content,
  );
}

function examplesSection(examples, count) {
  const select = h(
    "select",
    { "aria-label": "Examples of each kind" },
    COUNTS.map((n) => h("option", { value: n, selected: n === count }, `${n} of each`)),
  );
  select.addEventListener("change", () => {
    const query = params();
    query.set("examples", select.value);
    if (select.value === "8") query.delete("examples");
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

function strength({ statistics }) {
  const { edges, counts } = statistics.histogram;
  if (!counts.length) return null;
  return section(
    "strength",
    "How strongly it fires",
    "histogram",
    histogram(edges, counts, statistics.max),
    h(
      "p",
      { class: "muted small" },
      `${whole(statistics.n_firings)} firings in ${whole(statistics.n_tokens)} tokens; half of them above ${fixed(statistics.quantiles.find(([share]) => share === 0.5)?.[1])}.`,
    ),
  );
}

function effects({ effects: fields }) {
  const shown = fields.filter((field) => field.promotes.length + field.suppresses.length);
  if (!shown.length) return null;
  return section(
    "effects",
    "What it makes the model expect next",
    "effects",
    h(
      "div",
      { class: "fields" },
      shown.map((field) =>
        h(
          "div",
          {},
          h("h3", {}, FIELDS[field.field] ?? field.field),
          diverging(field.promotes.slice(0, 4), field.suppresses.slice(0, 3)),
        ),
      ),
    ),
  );
}

function when({ fires_when: groups }) {
  if (!groups.length) return null;
  return section(
    "when",
    "When it fires",
    null,
    h(
      "div",
      { class: "fields" },
      groups.map((group) =>
        h(
          "div",
          {},
          h("h3", {}, group.what, help(`when ${group.what}`, group.what, group.help)),
          againstBase(group.values, 12),
        ),
      ),
    ),
  );
}

function nearest({ nearest: { decoder, coactivation } }) {
  const list = (title, key, items) =>
    h(
      "div",
      {},
      h("h3", {}, title, help(key, title)),
      items.length
        ? h(
            "ol",
            { class: "near" },
            items.map((item) =>
              h(
                "li",
                {},
                h(
                  "a",
                  { href: `/feature/${item.latent}` },
                  h("span", { class: "number" }, item.latent),
                  " ",
                  h("span", { class: item.name ? null : "muted" }, item.name ?? "no name"),
                ),
                h("span", { class: "number muted" }, fixed(item.score)),
              ),
            ),
          )
        : h("p", { class: "muted small" }, "none"),
    );
  return section(
    "nearest",
    "Nearest latents",
    null,
    h(
      "div",
      { class: "fields" },
      list("by direction", "nearest_decoder", decoder),
      list("by firing together", "nearest_coactivation", coactivation),
    ),
  );
}

function concepts({ labels }, run) {
  if (!run.labelled)
    return section(
      "concepts",
      "Concepts",
      null,
      h(
        "p",
        { class: "notice" },
        "This run has no labels yet. They come from: ",
        h("code", {}, `music-interpret label ${run.run}`),
      ),
    );
  if (!labels.length) return null;
  const columns = [
    ["concept", "Concept value", null],
    ["about", "About", "needs"],
    ["mcc", "MCC", "mcc"],
    ["f1", "F1", "f1"],
    ["precision", "Precision", "precision"],
    ["recall", "Recall", "recall"],
    ["rate", "True of", "base_rate"],
    ["gain", "Gain", "gain"],
  ];
  const row = (label) =>
    h(
      "tr",
      { class: label.significant ? null : "unnamed" },
      h(
        "th",
        { scope: "row" },
        label.name,
        label.significant ? null : h("small", { class: "muted" }, " not significant"),
      ),
      h("td", { class: "muted" }, NEEDS[label.lag === 1 ? "next" : label.leakage]),
      h(
        "td",
        { class: "number" },
        fixed(label.mcc),
        h("small", { class: "muted" }, ` ${fixed(label.mcc_low)}–${fixed(label.mcc_high)}`),
      ),
      h("td", { class: "number" }, fixed(label.f1)),
      h("td", { class: "number" }, percent(label.precision)),
      h("td", { class: "number" }, percent(label.recall)),
      h("td", { class: "number" }, percent(label.base_rate)),
      h("td", { class: "number" }, signed(label.gain)),
    );
  return section(
    "concepts",
    "The concepts that follow it best, one by one",
    "rule",
    h(
      "div",
      { class: "wide", tabindex: "0", role: "region", "aria-label": "Concept scores" },
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            columns.map(([id, title, key]) =>
              h(
                "th",
                { scope: "col", class: id === "concept" || id === "about" ? null : "number" },
                title,
                key ? help(key, title) : null,
              ),
            ),
          ),
        ),
        h("tbody", {}, labels.map(row)),
      ),
    ),
  );
}
