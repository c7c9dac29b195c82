// The table of latents, a hundred rows at a time.

import { bar } from "./charts.js";
import { fill, h } from "./dom.js";
import { dot, NO_NAME } from "./groups.js";
import { help } from "./help.js";
import { fixed, NEEDS, oneIn, percent, signed, whole } from "./words.js";

const ROWS = 100;
// Key of the order, title, whether large values come first, class.
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
  /** @param {{change, link, onHover}} what: change of the query, link of a latent, and the row that is pointed at. */
  constructor(latents, what) {
    Object.assign(this, { latents, ...what });
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
    this.body.addEventListener("mouseover", (event) => this.hover(event.target.closest("tr")));
    this.body.addEventListener("focusin", (event) => this.hover(event.target.closest("tr")));
    this.body.addEventListener("mouseleave", () => this.hover(null));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row && !event.target.closest("a") && !getSelection().toString()) row.querySelector("a")?.click();
    });
  }

  hover(row) {
    this.onHover(row?.dataset.place ? Number(row.dataset.place) : null);
  }

  order(key, down) {
    const [first, second] = down ? [`-${key}`, key] : [key, `-${key}`];
    this.change({ sort: this.sort === first ? second : this.sort === second ? null : first, page: null });
  }

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

  row(i) {
    const { latents } = this;
    const named = latents.name[i] !== null;
    const group = latents.groupOf(i) ?? NO_NAME;
    const dead = !latents.live(i);
    const words = latents.label[i]
      ? h("span", { class: "own-label" }, `“${latents.label[i]}”`)
      : named
        ? latents.name[i]
        : dead
          ? h("em", {}, "dead: it never fires")
          : latents.rule[i]
            ? h("em", {}, `nearest: ${latents.rule[i]}`)
            : h("em", {}, "no name");
    const cells = {
      star: latents.star[i] ? h("span", { "aria-label": "starred" }, "★") : "",
      latent: whole(latents.latent[i]).replace(",", ""),
      name: h("a", { href: this.link(latents.latent[i], this.query) }, dot(group), " ", words),
      group: named ? latents.group[i] : "",
      needs: NEEDS[latents.needs[i]] ?? "",
      mcc: [bar(Math.max(0, latents.mcc[i] || 0)), fixed(latents.mcc[i])],
      f1: fixed(latents.f1[i]),
      gain: signed(latents.gain[i]),
      density: h("span", { title: oneIn(latents.density[i]) }, percent(latents.density[i])),
      max: fixed(latents.max[i]),
    };
    return h(
      "tr",
      { "data-place": i, class: named || latents.label[i] ? null : "unnamed" },
      this.columns.map(([key, , , kind]) =>
        key === "latent" ? h("th", { scope: "row", class: kind }, cells[key]) : h("td", { class: kind }, cells[key]),
      ),
    );
  }

  showPager() {
    const first = (this.page - 1) * ROWS;
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

  /** Another hundred. */
  turn(by) {
    const page = this.page + by;
    if (page < 1 || page > this.pages) return;
    this.change({ page: page === 1 ? null : page });
    this.element.scrollIntoView({ block: "start" });
  }

  /** The focus to the next row or the one before. */
  move(by) {
    const links = [...this.body.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
    links[Math.max(0, Math.min(links.length - 1, next))]?.focus();
  }
}
