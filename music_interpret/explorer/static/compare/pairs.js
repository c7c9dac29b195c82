// The table of pairs: which latent here goes with which there, a hundred rows at a time.

import { params, queryOf } from "../address.js";
import { help } from "../help.js";
import { bar } from "../views/bar.js";
import { fill, h } from "../views/dom.js";
import { latentWords } from "../views/name.js";
import { fixed, searched } from "../views/words.js";

/** @import { Changes, Compared } from "../types" */

const ROWS = 100;
/** @type {["score" | "latent" | "other", string, string][]} */
const COLUMNS = [
  ["score", "Score", "number"],
  ["latent", "Here", ""],
  ["other", "There", ""],
];

export class PairTable {
  /** @param {(changes: Changes) => void} change of the query. */
  constructor(change) {
    this.change = change;
    /** The pairs that the search leaves, in order. @type {number[]} */
    this.shown = [];
    /** The latent of the pair that is looked at. @type {number | null} */
    this.chosen = null;
    this.heads = COLUMNS.map(([key, title, kind]) => {
      const button = h("button", { type: "button", class: "sort", onclick: () => this.order(key) }, title);
      const explained = key === "score" && help("compare", "the score");
      return h("th", { scope: "col", class: kind, "data-key": key }, button, explained);
    });
    this.body = h("tbody");
    this.pager = h("nav", { class: "pager", "aria-label": "Pages of the table" });
    const table = h("table", { class: "plain pairs" }, h("thead", {}, h("tr", {}, this.heads)), this.body);
    this.element = h("div", {}, table, this.pager);
  }

  /** @param {string} key */
  order(key) {
    const sort = params().get("sort") ?? "-score";
    const first = key === "score" ? "-score" : key;
    this.change({ sort: sort === `-${key}` ? key : sort === key ? null : first, page: null });
  }

  /** Show no pairs. */
  clear() {
    this.chosen = null;
    this.shown = [];
    fill(this.body);
    fill(this.pager);
  }

  /** Show what an address says. @param {Compared["pairs"]} pairs @param {URLSearchParams} query */
  show(pairs, query) {
    const fits = searched(query.get("q"));
    const { latent, name, other, other_name } = pairs;
    this.shown = [...latent.keys()].filter((i) =>
      fits(`${latent[i]} ${name[i] ?? ""} ${other[i]} ${other_name[i] ?? ""}`),
    );
    const sort = query.get("sort") ?? "-score";
    const way = sort.startsWith("-") ? -1 : 1;
    const key = COLUMNS.map(([column]) => column).find((column) => column === sort.replace("-", ""));
    if (key) this.shown.sort((a, b) => way * (pairs[key][a] - pairs[key][b]) || a - b);
    for (const head of this.heads) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", way < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const last = Math.max(1, Math.ceil(this.shown.length / ROWS));
    const page = Math.min(last, Math.max(1, Number(query.get("page")) || 1));
    const rows = this.shown.slice((page - 1) * ROWS, page * ROWS);
    this.chosen = query.get("pair") ? Number(query.get("pair")) : (latent[rows[0]] ?? null);
    const empty = h("tr", {}, h("td", { class: "empty", colspan: COLUMNS.length }, "No pair fits."));
    fill(this.body, rows.length ? rows.map((i) => this.row(pairs, i, query)) : empty);
    this.showPager(page, last);
  }

  /** @param {Compared["pairs"]} pairs @param {number} i @param {URLSearchParams} query */
  row(pairs, i, query) {
    const latent = pairs.latent[i];
    const to = new URLSearchParams(query);
    to.set("pair", String(latent));
    const on = latent === this.chosen;
    const props = { href: `/compare${queryOf(to)}`, "aria-current": on ? "true" : null };
    const link = h("a", props, latentWords(latent, pairs.name[i]));
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.button !== 0) return;
      event.preventDefault();
      this.change({ pair: latent });
      this.chosenRow()?.querySelector("a")?.focus();
    });
    return h(
      "tr",
      { "data-latent": latent, class: on ? "on" : null },
      h("td", { class: "number" }, fixed(pairs.score[i]), bar(pairs.score[i])),
      h("th", { scope: "row" }, link),
      h("td", {}, h("span", { class: "clamp" }, latentWords(pairs.other[i], pairs.other_name[i]))),
    );
  }

  chosenRow() {
    return this.body.querySelector("tr.on");
  }

  /** @param {number} page @param {number} last */
  showPager(page, last) {
    /** @param {number} by @param {string} title */
    const turn = (by, title) => {
      const disabled = page + by < 1 || page + by > last;
      const onclick = () => this.change({ page: page + by });
      return h("button", { type: "button", class: "quiet small", disabled, onclick }, title);
    };
    this.pager.hidden = last < 2;
    fill(this.pager, turn(-1, "←"), `${page} of ${last}`, turn(1, "→"));
  }

  /** To the next pair, or the one before. @param {Compared["pairs"]} pairs @param {number} by */
  step({ latent }, by) {
    const at = this.shown.findIndex((i) => latent[i] === this.chosen);
    const to = Math.max(0, Math.min(this.shown.length - 1, at + by));
    if (to === at || !this.shown.length) return;
    const page = Math.floor(to / ROWS) + 1;
    this.change({ pair: latent[this.shown[to]], page: page === 1 ? null : page });
    this.chosenRow()?.scrollIntoView({ block: "nearest" });
  }
}
