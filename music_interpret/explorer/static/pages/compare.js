// Two runs of the same songs: which latent of one goes with which of the other, and both with their examples.

import { go, params, setQuery } from "../address.js";
import { announce } from "../announce.js";
import { get, isAbort, messageOf } from "../api.js";
import { PairTable } from "../compare/pairs.js";
import { help } from "../help.js";
import { songLink } from "../latents.js";
import { onALine } from "../views/bar.js";
import { fill, h, quiet } from "../views/dom.js";
import { exampleGroups } from "../views/examples.js";
import { scoreHistogram } from "../views/histogram.js";
import { stopPlaying } from "../views/pianoroll.js";
import { statisticsInWords } from "../views/statistics.js";
import { counted, fixed, whole } from "../views/words.js";

/** @import { Changes, Compared, OtherRun, Shown, Step, Visit } from "../types" */
/** @import { Excerpt, Feature, Run } from "../views/shapes" */
/** @import { Child } from "../views/types" */

const EXAMPLES = 4;
const TOGETHER = 0.7;

/** Where the server answers about another run. @param {string} id `series/experiment/layer_005` */
const apiOf = (id) => `/api/compare/${id.split("/").map(encodeURIComponent).join("/")}`;

/** @param {HTMLElement} main @param {Visit} visit @returns {Promise<Shown>} */
export async function show(main, { run, query, signal }) {
  const runs = await get("/api/runs");
  if (!runs.length) {
    fill(main, none(run));
    return { title: "Compare" };
  }
  const page = new ComparePage(run, runs, signal);
  fill(main, page.element);
  page.update(query);
  return {
    title: "Compare",
    update: (now) => page.update(now),
    destroy: () => page.destroy(),
    keys: { j: () => page.step(1), k: () => page.step(-1), " ": () => page.examples[0]?.playFirst() },
    told: [
      ["j / k", "next, previous pair"],
      ["Space", "play or stop the first example"],
    ],
  };
}

/** @param {Run} run */
function none(run) {
  const [series, , site] = run.run.split("/");
  const lead = "Two autoencoders of the same songs, side by side: of other sites, seeds or architectures.";
  const commands = `music-interpret train --help\nmusic-interpret index ${series}/<another experiment>/${site ?? ""}`;
  return h(
    "div",
    { class: "narrow" },
    h("h1", { tabindex: "-1" }, "Compare"),
    h("p", { class: "lead" }, lead, " There is no second indexed run of these songs yet."),
    h("p", {}, "Train one and index it, then load this page again:"),
    h("pre", { class: "commands" }, commands),
  );
}

/** @param {unknown} error @param {Child} [more] */
const failed = (error, more) => h("p", { class: "failed", role: "alert" }, messageOf(error), " ", more);

class ComparePage {
  /** @param {Run} run @param {OtherRun[]} runs @param {AbortSignal} signal */
  constructor(run, runs, signal) {
    this.run = run;
    this.runs = runs;
    this.signal = signal;
    /** Of the run that is compared with. @type {string | null} */
    this.id = null;
    /** @type {Compared | null} */
    this.compared = null;
    /** The run and pair that are shown. @type {string | null} */
    this.pairShown = null;
    /** @type {ReturnType<typeof exampleGroups>[]} */
    this.examples = [];
    const options = runs.map((other) => h("option", { value: other.id }, `${other.run} (${other.architecture})`));
    this.select = h("select", { id: "other-run" }, options);
    this.select.addEventListener("change", () => this.change({ run: this.select.value, pair: null, page: null }));
    this.search = h("input", {
      type: "search",
      "aria-label": "Search pairs",
      placeholder: "Search names, numbers  ( / )",
      autocomplete: "off",
      spellcheck: "false",
    });
    const look = () => this.change({ q: this.search.value.trim(), page: null }, { replace: true });
    this.search.addEventListener("input", quiet(look));
    this.summary = h("div", { class: "summary" });
    this.table = new PairTable((changes) => this.change(changes));
    this.both = h("div", { class: "both", "aria-live": "polite" });
    this.element = h(
      "article",
      { class: "compare" },
      h("h1", { tabindex: "-1" }, "Compare"),
      h(
        "p",
        { class: "lead row" },
        h("span", {}, run.run),
        "with",
        h("label", { class: "out-of-sight", for: "other-run" }, "The other run"),
        this.select,
      ),
      h(
        "div",
        { class: "compare-two" },
        h("section", { "aria-label": "Pairs" }, this.summary, this.search, this.table.element),
        h("section", { "aria-label": "The pair" }, this.both),
      ),
    );
  }

  /** @param {Changes} changes @param {Step} [step] */
  change(changes, step) {
    setQuery(changes, step);
    this.update(params());
  }

  /** Show what an address says. @param {URLSearchParams} query */
  async update(query) {
    const id = query.get("run") ?? this.runs[0].id;
    // The first run of the list is another one tomorrow: the address names it from now on.
    if (!query.get("run")) setQuery({ run: id }, { replace: true });
    this.select.value = id;
    if (document.activeElement !== this.search) this.search.value = query.get("q") ?? "";
    if (!this.runs.some((other) => other.id === id)) return this.gone(id);
    if (this.id !== id && !(await this.read(id))) return;
    if (!this.compared) return;
    this.table.show(this.compared.pairs, query);
    await this.pair(this.compared);
  }

  /** Say that there is no run of this id. @param {string} id */
  gone(id) {
    this.id = this.compared = this.pairShown = null;
    this.table.clear();
    this.showBoth([]);
    fill(this.summary, failed(new Error(`There is no indexed run ${id} of the same songs; choose another.`)));
  }

  /** The pairs with another run; false if they did not come, or another run is wanted by then. @param {string} id */
  async read(id) {
    this.id = id;
    fill(this.summary, h("div", { class: "waiting short" }));
    try {
      const compared = await get(apiOf(id), this.signal);
      if (this.id !== id) return false;
      this.compared = compared;
      fill(this.summary, summary(compared));
      return true;
    } catch (error) {
      if (this.id !== id || isAbort(error)) return false;
      this.id = null;
      const again = () => this.update(params());
      fill(
        this.summary,
        failed(error, h("button", { type: "button", class: "quiet small", onclick: again }, "Try again")),
      );
      return false;
    }
  }

  /** @param {number} by */
  step(by) {
    if (this.compared) this.table.step(this.compared.pairs, by);
  }

  /** Show the chosen pair. @param {Compared} compared */
  async pair({ pairs, run }) {
    const { chosen } = this.table;
    const i = pairs.latent.findIndex((latent) => latent === chosen);
    const key = `${this.id}/${chosen}`;
    if (this.pairShown === key) return;
    this.pairShown = key;
    if (i < 0) {
      const alone = `Latent ${chosen} fires on no token that both runs were compared on, so it has no partner.`;
      return this.showBoth([], h("p", { class: "muted" }, chosen === null ? "Choose a pair." : alone));
    }
    try {
      const [mine, theirs] = await Promise.all([
        get(`/api/feature/${pairs.latent[i]}?examples=${EXAMPLES}`, this.signal),
        get(`${apiOf(run.id)}/feature/${pairs.other[i]}?examples=${EXAMPLES}`, this.signal),
      ]);
      if (this.pairShown !== key) return;
      const score = [
        h("span", {}, "Together ", h("strong", {}, fixed(pairs.score[i]))),
        onALine({ value: pairs.score[i] }),
      ];
      const here = side(mine, this.run.run, `/feature/${mine.latent}`, (excerpt, token) =>
        songLink(mine.latent, excerpt, token),
      );
      const there = side(theirs, run.run, null, ({ roll }, token) => `/song/${roll.song}?token=${token}`);
      this.showBoth(
        [here.examples, there.examples],
        h("div", { class: "pair-score" }, score),
        h("div", { class: "sides" }, here.element, there.element),
      );
      announce(`Latents ${pairs.latent[i]} and ${pairs.other[i]}`);
    } catch (error) {
      if (!isAbort(error)) this.showBoth([], failed(error));
    }
  }

  /** @param {ReturnType<typeof exampleGroups>[]} examples @param {Child[]} content */
  showBoth(examples, ...content) {
    for (const before of this.examples) before.destroy();
    this.examples = examples;
    fill(this.both, content);
  }

  destroy() {
    stopPlaying();
    for (const examples of this.examples) examples.destroy();
  }
}

/** @param {Compared} compared @returns {Child} */
function summary({ mean, help: words, pairs: { score } }) {
  const together = score.filter((value) => value > TOGETHER).length;
  const rest = ` on average over ${counted(score.length, "pair")}; ${whole(together)} go together at more than ${TOGETHER}. `;
  return [h("p", {}, h("strong", {}, fixed(mean)), rest, help("compare", "the score", words)), scoreHistogram(score)];
}

/**
 * One latent of a pair with its strongest examples.
 * @param {Feature} feature
 * @param {string} run
 * @param {string | null} href its page; null where there is none.
 * @param {(excerpt: Excerpt, token: number) => string} linkOf the song of an excerpt at a token.
 */
function side(feature, run, href, linkOf) {
  const examples = exampleGroups(
    { ...feature, examples: feature.examples.slice(0, 1) },
    { songUrl: (excerpt) => linkOf(excerpt, excerpt.token), onOpen: (excerpt, token) => go(linkOf(excerpt, token)) },
  );
  const name = feature.name?.name;
  const heading = [
    h("span", { class: "muted small" }, `${run} · latent ${feature.latent}`),
    h("h2", { class: name ? null : "none" }, name ?? "No name"),
  ];
  const mcc = name ? `; MCC ${fixed(feature.name?.mcc)}` : "";
  const element = h(
    "div",
    { class: "side" },
    h(
      "header",
      {},
      href ? h("a", { href }, heading) : heading,
      h("p", { class: "muted small" }, `${statisticsInWords(feature.statistics)}${mcc}`),
    ),
    examples.legend,
    examples.element,
  );
  return { element, examples };
}
