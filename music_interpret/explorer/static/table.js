// The table of latents, a hundred rows at a time.

import { help } from "./help.js";
import { bar } from "./views/bar.js";
import { fill, h } from "./views/dom.js";
import { dot, NO_NAME } from "./views/groups.js";
import { nameOf } from "./views/name.js";
import { fixed, NEEDS, oneIn, percent, signed, whole } from "./views/words.js";

const ROWS = 100;
/** @import { Latents } from "./latents.js" */
/** @import { Changes } from "./types" */
/** @import { Child } from "./views/types" */

/** Key of the order, title, whether large values come first, class. @type {[string, string, boolean, string][]} */
const COLUMNS = [
  ["star", "★", true, "star"],
  ["latent", "Latent", false, "number"],
  ["name", "Name", false, "name"],
  ["group", "Group", false, "group"],
  ["needs", "About", false, "needs"],
  ["mcc", "MCC", true, "number mcc"],
  ["f1", "F1", true, "number f1"],
  ["gain", "Gain", true, "number gain"],
  ["density", "Density", true, "number density"],
  ["max", "Max", true, "number max"],
];

export class LatentTable {
  /**
   * @param {Latents} latents
   * @param {{
   *   change(changes: Changes): void,
   *   link(latent: number, query: URLSearchParams): string,
   *   onHover(place: number | null): void,
   * }} does change the query, link to a latent, and follow the row that is pointed at.
   */
  constructor(latents, does) {
    this.latents = latents;
    this.does = does;
    /** @type {number[]} */
    this.places = [];
    this.query = new URLSearchParams();
    this.sort = "";
    this.page = 1;
    this.pages = 1;
    this.columns = latents.mcc.some((value) => !Number.isNaN(value))
      ? COLUMNS
      : COLUMNS.filter(([key]) => ["star", "latent", "name", "density", "max"].includes(key));
    this.heads = this.columns.map(([key, title, down, kind]) => {
      const button = h(
        "button",
        { type: "button", class: "sort", title: key === "star" ? "starred first" : null },
        key === "star" ? h("span", { "aria-label": "Star" }, "★") : title,
      );
      button.addEventListener("click", () => this.order(key, down));
      return h("th", { scope: "col", class: kind, "data-key": key }, button, help(key, title));
    });
    this.body = h("tbody", {});
    this.pager = h("nav", { class: "pager", "aria-label": "Pages of the table" });
    const table = h("table", { class: "latents" }, h("thead", {}, h("tr", {}, this.heads)), this.body);
    this.element = h("div", {}, table, this.pager);
    this.body.addEventListener("mouseover", (event) => this.hover(rowOf(event)));
    this.body.addEventListener("focusin", (event) => this.hover(rowOf(event)));
    this.body.addEventListener("mouseleave", () => this.hover(null));
    this.body.addEventListener("click", (event) => {
      const link = rowOf(event)?.querySelector("a");
      const onLink = event.target instanceof Node && link?.contains(event.target);
      if (!onLink && !getSelection()?.toString()) link?.click();
    });
  }

  /** @param {HTMLElement | null} row */
  hover(row) {
    this.does.onHover(row?.dataset.place ? Number(row.dataset.place) : null);
  }

  /** @param {string} key @param {boolean} down */
  order(key, down) {
    const [first, second] = down ? [`-${key}`, key] : [key, `-${key}`];
    this.does.change({ sort: this.sort === first ? second : this.sort === second ? null : first, page: null });
  }

  /** @param {number[]} places @param {URLSearchParams} query */
  show(places, query) {
    this.places = places;
    this.query = query;
    this.sort = query.get("sort") ?? "";
    this.pages = Math.max(1, Math.ceil(places.length / ROWS));
    this.page = Math.min(this.pages, Math.max(1, Number(query.get("page")) || 1));
    for (const head of this.heads) {
      const { key } = head.dataset;
      const way = this.sort === key ? "ascending" : this.sort === `-${key}` ? "descending" : null;
      if (way) head.setAttribute("aria-sort", way);
      else head.removeAttribute("aria-sort");
    }
    const shown = places.slice((this.page - 1) * ROWS, this.page * ROWS);
    fill(
      this.body,
      shown.map((i) => this.row(i)),
      shown.length ? null : this.empty(),
    );
    this.showPager();
  }

  empty() {
    return h(
      "tr",
      {},
      h(
        "td",
        { class: "empty", colspan: this.columns.length },
        "No latent fits these filters. Clear some of them to see more.",
      ),
    );
  }

  /** @param {number} i */
  row(i) {
    const { latents } = this;
    const { words, named } = nameOf(latents.name[i], latents.rule[i], latents.live(i));
    const own = latents.label[i];
    const nameless = h("em", {}, latents.rule[i] ? `nearest: ${latents.rule[i]}` : words);
    const name = own ? h("span", { class: "own-label" }, `“${own}”`) : named ? words : nameless;
    const group = latents.groupOf(i) ?? NO_NAME;
    /** @type {Record<string, Child>} */
    const cells = {
      star: latents.star[i] ? h("span", { "aria-label": "starred" }, "★") : "",
      latent: whole(latents.latent[i]).replace(",", ""),
      name: h("a", { href: this.does.link(latents.latent[i], this.query) }, dot(group), " ", name),
      group: named ? latents.group[i] : "",
      needs: NEEDS[latents.needs[i] ?? ""],
      mcc: [bar(Math.max(0, latents.mcc[i] || 0)), fixed(latents.mcc[i])],
      f1: fixed(latents.f1[i]),
      gain: signed(latents.gain[i]),
      density: h("span", { title: oneIn(latents.density[i]) }, percent(latents.density[i])),
      max: fixed(latents.max[i]),
    };
    return h(
      "tr",
      { "data-place": i, class: named || own ? null : "unnamed" },
      this.columns.map(([key, , , kind]) =>
        key === "latent" ? h("th", { scope: "row", class: kind }, cells[key]) : h("td", { class: kind }, cells[key]),
      ),
    );
  }

  showPager() {
    const first = (this.page - 1) * ROWS;
    /** @param {number} by @param {string} title */
    const button = (by, title) =>
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          disabled: this.page + by < 1 || this.page + by > this.pages,
          onclick: () => this.turn(by),
        },
        title,
      );
    this.pager.hidden = this.pages < 2;
    fill(
      this.pager,
      button(-1, "← Previous"),
      h(
        "span",
        {},
        `${whole(first + 1)}–${whole(Math.min(first + ROWS, this.places.length))} of ${whole(this.places.length)}`,
      ),
      button(1, "Next →"),
    );
  }

  /** Another hundred. @param {number} by */
  turn(by) {
    const page = this.page + by;
    if (page < 1 || page > this.pages) return;
    this.does.change({ page: page === 1 ? null : page });
    this.element.scrollIntoView({ block: "start" });
  }

  /** The focus to the next row or the one before. @param {number} by */
  move(by) {
    const links = [...this.body.querySelectorAll("a")];
    const at = links.findIndex((link) => link === document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
    links[Math.max(0, Math.min(links.length - 1, next))]?.focus();
  }
}

/** The row that an event happened in. @param {Event} event */
const rowOf = ({ target }) => (target instanceof Element ? target.closest("tr") : null);
