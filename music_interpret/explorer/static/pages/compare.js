// Two runs of the same songs: which latent of one goes with which of the other, and both with their examples.

import { params, queryOf, setQuery } from "../address.js";
import { get } from "../api.js";
import { bar, onALine } from "../charts.js";
import { announce, fill, h, quiet } from "../dom.js";
import { exampleGroups } from "../examples.js";
import { help } from "../help.js";
import { stopPlaying } from "../pianoroll.js";
import { fixed, oneIn, percent, whole } from "../words.js";
import { songLink } from "./feature.js";

const ROWS = 100;
const BINS = 20;
const EXAMPLES = 4;

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
    keys: { j: () => page.step(1), k: () => page.step(-1), " ": () => page.groups[0]?.playFirst() },
    told: [
      ["j / k", "next, previous pair"],
      ["Space", "play or stop the first example"],
    ],
  };
}

function none(run) {
  const [series, , layer] = run.run.split("/");
  return h(
    "div",
    { class: "narrow" },
    h("h1", { tabindex: "-1" }, "Compare"),
    h(
      "p",
      { class: "lead" },
      "Two autoencoders of the same songs, side by side: of other layers, seeds or architectures. There is no second indexed run of these songs yet.",
    ),
    h("p", {}, "Train one and index it, then load this page again:"),
    h(
      "pre",
      { class: "commands" },
      `music-interpret train --help\nmusic-interpret index ${series}/<another experiment>/${layer ?? ""}`,
    ),
  );
}

class ComparePage {
  constructor(run, runs, signal) {
    Object.assign(this, { run, runs, signal, groups: [] });
    this.select = h(
      "select",
      { id: "other-run" },
      runs.map((other) => h("option", { value: other.id }, `${other.run} (${other.architecture})`)),
    );
    this.select.addEventListener("change", () => this.change({ run: this.select.value, pair: null, page: null }));
    this.search = h("input", {
      type: "search",
      "aria-label": "Search pairs",
      placeholder: "Search names, numbers  ( / )",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.search.addEventListener(
      "input",
      quiet(() => this.change({ q: this.search.value.trim(), page: null }, { replace: true })),
    );
    this.summary = h("div", { class: "summary" });
    this.body = h("tbody", {});
    this.heads = [
      ["score", "Score", "number"],
      ["latent", "Here", ""],
      ["other", "There", ""],
    ].map(([key, title, kind]) =>
      h(
        "th",
        { scope: "col", class: kind, "data-key": key },
        h("button", { type: "button", class: "sort", onclick: () => this.order(key) }, title),
        key === "score" ? help("compare", "the score") : null,
      ),
    );
    this.pager = h("nav", { class: "pager", "aria-label": "Pages of the table" });
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
        h(
          "section",
          { "aria-label": "Pairs" },
          this.summary,
          this.search,
          h("table", { class: "plain pairs" }, h("thead", {}, h("tr", {}, this.heads)), this.body),
          this.pager,
        ),
        h("section", { "aria-label": "The pair" }, this.both),
      ),
    );
  }

  change(changes, options) {
    setQuery(changes, options);
    this.update(params());
  }

  order(key) {
    const sort = params().get("sort") ?? "-score";
    this.change({
      sort: sort === `-${key}` ? key : sort === key ? null : key === "score" ? "-score" : key,
      page: null,
    });
  }

  async update(query) {
    const id = this.runs.some((other) => other.id === query.get("run")) ? query.get("run") : this.runs[0].id;
    this.select.value = id;
    if (document.activeElement !== this.search) this.search.value = query.get("q") ?? "";
    if (this.id !== id) {
      this.id = id;
      fill(this.summary, h("div", { class: "waiting short" }));
      const compared = await get(`/api/compare/${id}`, this.signal).catch((error) => error);
      if (this.id !== id || compared.name === "AbortError") return;
      if (compared instanceof Error) return this.failed(compared);
      this.compared = compared;
      this.summarise();
    }
    if (!this.compared) return;
    this.list(query);
    await this.pair(query);
  }

  failed(error) {
    this.id = null;
    fill(
      this.summary,
      h(
        "p",
        { class: "failed", role: "alert" },
        error.message,
        " ",
        h("button", { type: "button", class: "quiet small", onclick: () => this.update(params()) }, "Try again"),
      ),
    );
  }

  summarise() {
    const { score } = this.compared.pairs;
    const counts = new Array(BINS).fill(0);
    for (const value of score) counts[Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)))] += 1;
    const most = Math.max(...counts, 1);
    fill(
      this.summary,
      h(
        "p",
        {},
        h("strong", {}, fixed(this.compared.mean)),
        " on average over ",
        whole(score.length),
        " pairs; ",
        whole(score.filter((value) => value > 0.7).length),
        " go together at more than 0.7. ",
        help("compare", "the score", this.compared.help),
      ),
      h(
        "div",
        { class: "histogram", role: "img", "aria-label": "How many pairs have which score" },
        h(
          "div",
          { class: "columns low" },
          counts.map((count, i) =>
            h(
              "span",
              { class: "column", title: `score ${fixed(i / BINS)} to ${fixed((i + 1) / BINS)}: ${whole(count)} pairs` },
              h("span", { style: { height: `${(100 * count) / most}%`, background: "var(--mi-fill)" } }),
            ),
          ),
        ),
        h(
          "div",
          { class: "ticks" },
          ["0", "score", "1"].map((tick) => h("span", {}, tick)),
        ),
      ),
    );
  }

  list(query) {
    const { pairs } = this.compared;
    const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    this.shown = pairs.latent
      .map((_, i) => i)
      .filter((i) =>
        words.every((word) =>
          `${pairs.latent[i]} ${pairs.name[i] ?? ""} ${pairs.other[i]} ${pairs.other_name[i] ?? ""}`
            .toLowerCase()
            .includes(word),
        ),
      );
    const sort = query.get("sort") ?? "-score";
    const key = sort.replace("-", "");
    const way = sort.startsWith("-") ? -1 : 1;
    if (pairs[key]) this.shown.sort((a, b) => way * (pairs[key][a] - pairs[key][b]) || a - b);
    for (const head of this.heads) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", way < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const last = Math.max(1, Math.ceil(this.shown.length / ROWS));
    const page = Math.min(last, Math.max(1, Number(query.get("page")) || 1));
    this.chosen = query.get("pair") ? Number(query.get("pair")) : null;
    const rows = this.shown.slice((page - 1) * ROWS, page * ROWS);
    if (!rows.some((i) => pairs.latent[i] === this.chosen) && this.chosen === null && rows.length)
      this.chosen = pairs.latent[rows[0]];
    fill(
      this.body,
      rows.map((i) => this.row(i, query)),
      rows.length ? null : h("tr", {}, h("td", { class: "empty", colspan: 3 }, "No pair fits.")),
    );
    const turn = (by, title) =>
      h(
        "button",
        {
          type: "button",
          class: "quiet small",
          disabled: page + by < 1 || page + by > last,
          onclick: () => this.change({ page: page + by }),
        },
        title,
      );
    this.pager.hidden = last < 2;
    fill(this.pager, turn(-1, "←"), `${page} of ${last}`, turn(1, "→"));
  }

  row(i, query) {
    const { pairs } = this.compared;
    const to = new URLSearchParams(query);
    to.set("pair", pairs.latent[i]);
    const on = pairs.latent[i] === this.chosen;
    const link = h(
      "a",
      { href: `/compare${queryOf(to)}`, "aria-current": on ? "true" : null },
      h("span", { class: "number" }, pairs.latent[i]),
      " ",
      pairs.name[i] ?? h("span", { class: "muted" }, "no name"),
    );
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.button !== 0) return;
      event.preventDefault();
      this.choose(pairs.latent[i]);
    });
    return h(
      "tr",
      { "data-latent": pairs.latent[i], class: on ? "on" : null },
      h("td", { class: "number" }, fixed(pairs.score[i]), bar(Math.max(0, pairs.score[i]))),
      h("th", { scope: "row" }, link),
      h(
        "td",
        {},
        h(
          "span",
          { class: "clamp" },
          h("span", { class: "number" }, pairs.other[i]),
          " ",
          pairs.other_name[i] ?? h("span", { class: "muted" }, "no name"),
        ),
      ),
    );
  }

  choose(latent) {
    this.change({ pair: latent });
    this.body.querySelector("tr.on a")?.focus();
  }

  step(by) {
    if (!this.compared) return;
    const { latent } = this.compared.pairs;
    const at = this.shown.findIndex((i) => latent[i] === this.chosen);
    const next = this.shown[Math.max(0, Math.min(this.shown.length - 1, at + by))];
    if (next === undefined || next === this.shown[at]) return;
    const page = Math.floor(this.shown.indexOf(next) / ROWS) + 1;
    this.change({ pair: latent[next], page: page === 1 ? null : page });
    this.body.querySelector("tr.on")?.scrollIntoView({ block: "nearest" });
  }

  async pair() {
    const { pairs } = this.compared;
    const i = pairs.latent.indexOf(this.chosen);
    const key = `${this.id}/${this.chosen}`;
    if (this.pairShown === key) return;
    this.pairShown = key;
    if (i < 0)
      return this.fillBoth(
        h(
          "p",
          { class: "muted" },
          this.chosen === null
            ? "Choose a pair."
            : `Latent ${this.chosen} fires on no token that both runs were compared on, so it has no partner.`,
        ),
      );
    try {
      const [mine, theirs] = await Promise.all([
        get(`/api/feature/${pairs.latent[i]}?examples=${EXAMPLES}`, this.signal),
        get(`/api/compare/${this.id}/feature/${pairs.other[i]}?examples=${EXAMPLES}`, this.signal),
      ]);
      if (this.pairShown !== key) return;
      this.fillBoth(
        h(
          "div",
          { class: "pair-score" },
          h("span", {}, "Together ", h("strong", {}, fixed(pairs.score[i]))),
          onALine({ value: pairs.score[i] }),
        ),
        h(
          "div",
          { class: "sides" },
          this.side(mine, this.run.run, pairs.density[i], true),
          this.side(theirs, this.compared.run.run, pairs.other_density[i], false),
        ),
      );
      announce(`Latents ${pairs.latent[i]} and ${pairs.other[i]}`);
    } catch (error) {
      if (error.name !== "AbortError") this.fillBoth(h("p", { class: "failed", role: "alert" }, error.message));
    }
  }

  fillBoth(...content) {
    for (const group of this.groups.splice(0)) group.destroy();
    const made = content;
    this.groups = this.made ?? [];
    this.made = null;
    fill(this.both, made);
  }

  side(feature, run, density, own) {
    const top = { ...feature, examples: feature.examples.slice(0, 1) };
    const group = exampleGroups(top, {
      songUrl: (excerpt) =>
        own ? songLink(feature.latent, excerpt) : `/song/${excerpt.roll.song}?token=${excerpt.token}`,
    });
    this.made = [...(this.made ?? []), group];
    const name = feature.name?.name;
    const heading = [
      h("span", { class: "muted small" }, `${run} · latent ${feature.latent}`),
      h("h2", { class: name ? null : "none" }, name ?? "No name"),
    ];
    return h(
      "div",
      { class: "side" },
      h(
        "header",
        {},
        own ? h("a", { href: `/feature/${feature.latent}` }, heading) : heading,
        h(
          "p",
          { class: "muted small" },
          `fires on ${percent(density)}, ${oneIn(density)}; at most ${fixed(feature.statistics.max)}`,
          name ? `; MCC ${fixed(feature.name.mcc)}` : "",
        ),
      ),
      group.legend,
      group.element,
    );
  }

  destroy() {
    stopPlaying();
    for (const group of this.groups) group.destroy();
  }
}
