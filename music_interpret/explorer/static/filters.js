// The filters above the pictures and the table; the legend of the groups' colours is one of them.

import { announce, fill, h, quiet } from "./dom.js";
import { dot, inOrder, NO_NAME } from "./groups.js";
import { help } from "./help.js";
import { range } from "./latents.js";
import { fixed, whole } from "./words.js";

const RANGES = [
  ["mcc", "MCC"],
  ["density", "density"],
];
const ABOUT = { given: "this token", past: "before", future: "after", next: "the next token" };

export class Filters {
  /** @param change called with changes of the query. */
  constructor(latents, run, change) {
    Object.assign(this, { latents, run, change });
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
    this.concept = this.concepts();
    this.ranges = RANGES.map(([key, title]) => this.rangeOf(key, title));
    this.reset = h(
      "button",
      { type: "button", class: "quiet small", onclick: () => this.clear() },
      "Clear all filters",
    );
    this.element = h(
      "section",
      { class: "filters", "aria-label": "Filters" },
      h("div", { class: "row" }, this.search, run.labelled ? this.concept : null, this.kinds),
      run.labelled ? h("div", { class: "row legend" }, this.legend) : null,
      h(
        "div",
        { class: "row spread-out" },
        run.labelled
          ? h("div", { class: "row" }, h("span", { class: "title" }, "about", help("needs", "about")), this.needs)
          : null,
        h("div", { class: "row" }, run.labelled ? this.ranges : this.ranges.slice(1), this.reset),
      ),
    );
  }

  concepts() {
    const counts = this.latents.count((i) => this.latents.concept[i], this.latents.latent.keys());
    counts.delete(null);
    const options = [...counts]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => h("option", { value: name }, `${name} (${count})`));
    const select = h("select", { "aria-label": "Concept" }, h("option", { value: "" }, "any concept"), options);
    select.addEventListener("change", () => this.change({ concept: select.value }));
    return h("label", { class: "field" }, h("span", { class: "title" }, "concept"), select);
  }

  rangeOf(key, title) {
    const [low, high] = ["at least", "at most"].map((which) =>
      h("input", {
        type: "number",
        step: "any",
        "aria-label": `${title} ${which}`,
        placeholder: which === "at least" ? "from" : "to",
      }),
    );
    const changed = () => this.change({ [key]: low.value || high.value ? `${low.value},${high.value}` : null });
    for (const field of [low, high]) field.addEventListener("change", changed);
    return h(
      "div",
      { class: "field range", "data-range": key, role: "group", "aria-label": title },
      h("span", { class: "title" }, title, help(key, title)),
      low,
      "–",
      high,
    );
  }

  /** Show what an address says. */
  show(query) {
    const { latents } = this;
    if (document.activeElement !== this.search || this.search.value.trim() !== (query.get("q") ?? ""))
      this.search.value = query.get("q") ?? "";
    this.concept.querySelector("select").value = query.get("concept") ?? "";
    for (const field of this.ranges) {
      const [low, high] = range(query.get(field.dataset.range));
      const [from, to] = field.querySelectorAll("input");
      from.value = Number.isFinite(low) ? low : "";
      to.value = Number.isFinite(high) ? high : "";
    }
    const groups = latents.count((i) => latents.groupOf(i) ?? NO_NAME, latents.chosen(query, "group"));
    this.chips(
      this.legend,
      "group",
      query,
      inOrder(new Set([...this.run.groups, ...groups.keys(), NO_NAME])),
      (name) => [dot(name), name],
      groups,
    );
    const needs = latents.count((i) => latents.needs[i], latents.chosen(query, "needs"));
    this.chips(this.needs, "needs", query, Object.keys(ABOUT), (name) => [ABOUT[name]], needs);
    const dead = latents.length - this.run.n_live;
    const kinds = [
      this.run.labelled && ["named", "1", "named"],
      ["star", "1", "★ starred"],
      ["own", "1", "own label"],
      dead > 0 && ["dead", "1", `dead (${whole(dead)})`],
    ].filter(Boolean);
    const drawn =
      query.get("max") || query.get("box")
        ? [
            [
              query.get("max")
                ? `max ${range(query.get("max"))
                    .map((end) => fixed(end))
                    .join(" to ")}  ×`
                : null,
              "max",
            ],
            [query.get("box") ? "part of the map  ×" : null, "box"],
          ]
        : [];
    fill(
      this.kinds,
      kinds.map(([key, value, title]) =>
        this.chip(query.get(key) === value, [title], () => ({ [key]: query.get(key) === value ? null : value })),
      ),
      drawn.filter(([title]) => title).map(([title, key]) => this.chip(true, [title], () => ({ [key]: null }))),
    );
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
    fill(
      place,
      values.map((value) => {
        const chip = this.chip(
          wanted.has(value),
          [...words(value), h("span", { class: "muted" }, ` ${whole(counts.get(value) ?? 0)}`)],
          () => toggle(value),
        );
        chip.dataset.value = value;
        if (any && !wanted.has(value)) chip.classList.add("off");
        return chip;
      }),
    );
    place.children[focused]?.focus();
  }

  chip(on, words, changes) {
    return h(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": String(on),
        onclick: (event) => {
          const place = event.currentTarget.parentElement;
          const number = [...place.children].indexOf(event.currentTarget);
          this.change(changes());
          place.children[number]?.focus();
        },
      },
      words,
    );
  }

  clear() {
    const all = Object.fromEntries(
      ["q", "group", "concept", "needs", "named", "star", "own", "dead", "mcc", "density", "max", "box"].map((key) => [
        key,
        null,
      ]),
    );
    this.change(all);
    this.search.focus();
    announce("All filters are cleared.");
  }
}
