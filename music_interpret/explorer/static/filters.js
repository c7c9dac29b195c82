// The filters above the pictures and the table; the legend of the groups' colours is one of them.

import { announce, fill, h, quiet } from "./dom.js";
import { dot, inOrder, NO_NAME } from "./groups.js";
import { help } from "./help.js";
import { range } from "./latents.js";
import { NEEDS, whole } from "./words.js";

const RANGES = [
  ["mcc", "MCC", 0.05],
  ["density", "density", 0.001],
  ["max", "max", 0.1],
];

export class Filters {
  /** @param change called with changes of the query. */
  constructor(latents, run, change) {
    Object.assign(this, { latents, run, change });
    this.search = h("input", { type: "search", "aria-label": "Search latents by number, name, concept or own label", placeholder: "Search names, concepts, numbers, own labels  ( / )", autocomplete: "off", spellcheck: "false" });
    let typed = false;
    this.search.addEventListener("focus", () => (typed = false));
    const look = quiet(() => {
      // One step back leads to before the whole word, not to before its last letter.
      change({ q: this.search.value.trim() }, { replace: typed });
      typed = true;
    }, 120);
    this.search.addEventListener("input", look);
    this.legend = h("div", { class: "chips", role: "group", "aria-label": "Groups of concepts" });
    this.needs = h("div", { class: "chips", role: "group", "aria-label": "What the name is about" });
    this.kinds = h("div", { class: "chips", role: "group", "aria-label": "Kinds of latents" });
    this.concept = this.concepts();
    this.ranges = RANGES.map(([key, title, step]) => this.rangeOf(key, title, step));
    this.reset = h("button", { type: "button", class: "quiet small", onclick: () => this.clear() }, "Clear all filters");
    this.element = h(
      "section",
      { class: "filters", "aria-label": "Filters" },
      h("div", { class: "row" }, this.search, this.kinds),
      run.labelled ? h("div", { class: "row legend" }, this.legend) : null,
      run.labelled ? h("div", { class: "row" }, h("span", { class: "title" }, "says something of", help("needs", "given, past, future, next")), this.needs) : null,
      h("div", { class: "row" }, run.labelled ? this.concept : null, run.labelled ? this.ranges : this.ranges.slice(1), this.reset),
    );
  }

  concepts() {
    const counts = this.latents.count((i) => this.latents.concept[i], this.latents.latent.keys());
    counts.delete(null);
    const options = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, count]) => h("option", { value: name }, `${name} (${count})`));
    const select = h("select", { "aria-label": "Concept" }, h("option", { value: "" }, "any concept"), options);
    select.addEventListener("change", () => this.change({ concept: select.value }));
    return h("label", { class: "field" }, h("span", { class: "title" }, "concept"), select);
  }

  rangeOf(key, title, step) {
    const [low, high] = ["at least", "at most"].map((which) => h("input", { type: "number", step: "any", "data-step": step, "aria-label": `${title} ${which}`, placeholder: which === "at least" ? "from" : "to" }));
    const changed = () => this.change({ [key]: low.value || high.value ? `${low.value},${high.value}` : null });
    for (const field of [low, high]) field.addEventListener("change", changed);
    return h("div", { class: "field range", "data-range": key, role: "group", "aria-label": title }, h("span", { class: "title" }, title, help(key, title)), low, "–", high);
  }

  /** Show what an address says. */
  show(query) {
    const { latents } = this;
    if (document.activeElement !== this.search || this.search.value.trim() !== (query.get("q") ?? "")) this.search.value = query.get("q") ?? "";
    this.concept.querySelector("select").value = query.get("concept") ?? "";
    for (const field of this.ranges) {
      const [low, high] = range(query.get(field.dataset.range));
      const [from, to] = field.querySelectorAll("input");
      from.value = Number.isFinite(low) ? low : "";
      to.value = Number.isFinite(high) ? high : "";
    }
    const groups = latents.count((i) => latents.groupOf(i) ?? NO_NAME, latents.chosen(query, "group"));
    this.chips(this.legend, "group", query, inOrder(new Set([...this.run.groups, ...groups.keys(), NO_NAME])), (name) => [dot(name), name], groups);
    const needs = latents.count((i) => latents.needs[i], latents.chosen(query, "needs"));
    this.chips(this.needs, "needs", query, Object.keys(NEEDS), (name) => [NEEDS[name]], needs);
    const dead = latents.length - this.run.n_live;
    const kinds = [
      this.run.labelled && ["named", "1", "named"],
      ["star", "1", "★ starred"],
      ["own", "1", "own label"],
      dead > 0 && ["dead", "1", `dead (${whole(dead)})`],
    ].filter(Boolean);
    fill(this.kinds, kinds.map(([key, value, title]) => this.chip(query.get(key) === value, [title], () => ({ [key]: query.get(key) === value ? null : value }))));
    this.reset.hidden = ![...query.keys()].some((key) => key !== "sort" && key !== "page");
  }

  chips(place, key, query, values, words, counts) {
    const wanted = new Set((query.get(key) ?? "").split(",").filter(Boolean));
    const focused = [...place.children].indexOf(document.activeElement);
    const toggle = (value) => {
      const next = new Set(wanted);
      if (!next.delete(value)) next.add(value);
      return { [key]: [...next].join(",") };
    };
    const any = wanted.size > 0;
    fill(place, values.map((value) => {
      const chip = this.chip(wanted.has(value), [...words(value), h("span", { class: "muted" }, ` ${whole(counts.get(value) ?? 0)}`)], () => toggle(value));
      chip.dataset.value = value;
      if (any && !wanted.has(value)) chip.classList.add("off");
      return chip;
    }));
    place.children[focused]?.focus();
  }

  chip(on, words, changes) {
    return h("button", { type: "button", class: "chip", "aria-pressed": String(on), onclick: (event) => {
      const place = event.currentTarget.parentElement;
      const number = [...place.children].indexOf(event.currentTarget);
      this.change(changes());
      place.children[number]?.focus();
    } }, words);
  }

  clear() {
    const all = Object.fromEntries(["q", "group", "concept", "needs", "named", "star", "own", "dead", "mcc", "density", "max", "box"].map((key) => [key, null]));
    this.change(all);
    this.search.focus();
    announce("All filters are cleared.");
  }
}
