// The filters above the pictures and the table; the legend of the groups' colours is one of them.

import { announce } from "./announce.js";
import { help } from "./help.js";
import { range } from "./latents.js";
import { fill, h, quiet } from "./views/dom.js";
import { dot, inOrder, NO_NAME } from "./views/groups.js";
import { fixed, whole } from "./views/words.js";

/** @import { Latents } from "./latents.js" */
/** @import { Changes, Step } from "./types" */
/** @import { Run } from "./views/shapes" */
/** @import { Child } from "./views/types" */

/** @type {[string, string][]} */
const RANGES = [
  ["mcc", "MCC"],
  ["density", "density"],
];
const KEYS = ["q", "group", "concept", "needs", "named", "star", "own", "dead", "mcc", "density", "max", "box"];
/** @type {Record<string, string>} */
const ABOUT = { given: "this token", past: "before", future: "after", next: "the next token" };

export class Filters {
  /**
   * @param {Latents} latents
   * @param {Run} run
   * @param {(changes: Changes, step?: Step) => void} change of the query.
   */
  constructor(latents, run, change) {
    this.latents = latents;
    this.run = run;
    this.change = change;
    this.search = h("input", {
      type: "search",
      "aria-label": "Search latents by number, name, concept or own label",
      placeholder: "Search names, concepts, numbers, own labels  ( / )",
      autocomplete: "off",
      spellcheck: "false",
    });
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
    this.concept = h("select", { "aria-label": "Concept" }, h("option", { value: "" }, "any concept"), this.concepts());
    this.concept.addEventListener("change", () => this.change({ concept: this.concept.value }));
    this.ranges = RANGES.map(([key, title]) => this.rangeOf(key, title));
    this.reset = h(
      "button",
      { type: "button", class: "quiet small", onclick: () => this.clear() },
      "Clear all filters",
    );
    this.element = h(
      "section",
      { class: "filters", "aria-label": "Filters" },
      h(
        "div",
        { class: "row" },
        this.search,
        run.labelled && h("label", { class: "field" }, h("span", { class: "title" }, "concept"), this.concept),
        this.kinds,
      ),
      run.labelled ? h("div", { class: "row legend" }, this.legend) : null,
      h(
        "div",
        { class: "row spread-out" },
        run.labelled
          ? h("div", { class: "row" }, h("span", { class: "title" }, "about", help("needs", "about")), this.needs)
          : null,
        h(
          "div",
          { class: "row" },
          this.ranges.slice(run.labelled ? 0 : 1).map(({ element }) => element),
          this.reset,
        ),
      ),
    );
  }

  concepts() {
    const counts = new Map();
    for (const concept of this.latents.concept) if (concept) counts.set(concept, (counts.get(concept) ?? 0) + 1);
    return [...counts]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => h("option", { value: name }, `${name} (${count})`));
  }

  /** @param {string} key @param {string} title */
  rangeOf(key, title) {
    /** @param {string} which @param {string} placeholder */
    const field = (which, placeholder) =>
      h("input", { type: "number", step: "any", "aria-label": `${title} ${which}`, placeholder });
    const [low, high] = [field("at least", "from"), field("at most", "to")];
    const changed = () => this.change({ [key]: low.value || high.value ? `${low.value},${high.value}` : null });
    low.addEventListener("change", changed);
    high.addEventListener("change", changed);
    const element = h(
      "div",
      { class: "field range", "data-range": key, role: "group", "aria-label": title },
      h("span", { class: "title" }, title, help(key, title)),
      low,
      "–",
      high,
    );
    return { key, low, high, element };
  }

  /** Show what an address says. @param {URLSearchParams} query */
  show(query) {
    const { latents, run } = this;
    if (document.activeElement !== this.search || this.search.value.trim() !== (query.get("q") ?? ""))
      this.search.value = query.get("q") ?? "";
    this.concept.value = query.get("concept") ?? "";
    for (const { key, low, high } of this.ranges) {
      const [from, to] = range(query.get(key));
      low.value = Number.isFinite(from) ? String(from) : "";
      high.value = Number.isFinite(to) ? String(to) : "";
    }
    const groups = latents.count((i) => latents.groupOf(i) ?? NO_NAME, latents.chosen(query, "group"));
    const allGroups = inOrder(new Set([...run.groups, ...groups.keys(), NO_NAME]));
    this.chips(this.legend, "group", query, allGroups, (name) => [dot(name), name], groups);
    const needs = latents.count((i) => latents.needs[i] ?? "", latents.chosen(query, "needs"));
    this.chips(this.needs, "needs", query, Object.keys(ABOUT), (name) => ABOUT[name], needs);
    fill(this.kinds, this.kindChips(query), this.drawnChips(query));
    this.reset.hidden = ![...query.keys()].some((key) => key !== "sort" && key !== "page");
  }

  /** @param {URLSearchParams} query */
  kindChips(query) {
    const dead = this.latents.length - this.run.n_live;
    /** @param {string} key @param {string} title */
    const kind = (key, title) => {
      const on = query.get(key) === "1";
      return this.chip(on, title, () => ({ [key]: on ? null : "1" }));
    };
    return [
      this.run.labelled && kind("named", "named"),
      kind("star", "★ starred"),
      kind("own", "own label"),
      dead > 0 && kind("dead", `dead (${whole(dead)})`),
    ];
  }

  /** What was drawn in the pictures. @param {URLSearchParams} query */
  drawnChips(query) {
    const ends = range(query.get("max")).map((end) => fixed(end));
    return [
      query.get("max") && this.chip(true, `max ${ends.join(" to ")}  ×`, () => ({ max: null })),
      query.get("box") && this.chip(true, "part of the map  ×", () => ({ box: null })),
    ];
  }

  /**
   * A chip per value, any number of which can be on.
   * @param {HTMLElement} place
   * @param {string} key
   * @param {URLSearchParams} query
   * @param {string[]} values
   * @param {(value: string) => Child} words
   * @param {Map<string, number>} counts
   */
  chips(place, key, query, values, words, counts) {
    const wanted = new Set((query.get(key) ?? "").split(",").filter(Boolean));
    const focused = chipsIn(place).findIndex((chip) => chip === document.activeElement);
    /** @param {string} value */
    const toggle = (value) => {
      const next = new Set(wanted);
      if (!next.delete(value)) next.add(value);
      return { [key]: [...next].join(",") };
    };
    const any = wanted.size > 0;
    fill(
      place,
      values.map((value) => {
        const count = h("span", { class: "muted" }, ` ${whole(counts.get(value) ?? 0)}`);
        const chip = this.chip(wanted.has(value), [words(value), count], () => toggle(value));
        chip.dataset.value = value;
        if (any && !wanted.has(value)) chip.classList.add("off");
        return chip;
      }),
    );
    chipsIn(place)[focused]?.focus();
  }

  /** @param {boolean} on @param {Child} words @param {() => Changes} changes */
  chip(on, words, changes) {
    const chip = h("button", { type: "button", class: "chip", "aria-pressed": String(on) }, words);
    chip.addEventListener("click", () => {
      const place = chip.parentElement;
      const number = chipsIn(place).indexOf(chip);
      this.change(changes());
      chipsIn(place)[number]?.focus();
    });
    return chip;
  }

  clear() {
    this.change(Object.fromEntries(KEYS.map((key) => [key, null])));
    this.search.focus();
    announce("All filters are cleared.");
  }
}

/** @param {Element | null} place */
const chipsIn = (place) => [...(place?.querySelectorAll("button") ?? [])];
