// All latents of the run: what it is in numbers, two pictures, and a table; the same filters hold for all three.

import { go, params, setQuery } from "../address.js";
import { announce } from "../announce.js";
import { get } from "../api.js";
import { Filters } from "../filters.js";
import { help } from "../help.js";
import { featureLink, Latents } from "../latents.js";
import { runInNumbers } from "../numbers.js";
import { ownLabelFiles } from "../ownfiles.js";
import { Scatter } from "../scatter.js";
import { LatentTable } from "../table.js";
import { fill, h } from "../views/dom.js";
import { nameOf } from "../views/name.js";
import { number, oneIn, whole } from "../views/words.js";

/** @import { Changes, Shown, Step, Visit } from "../types" */

const BRUSH = "Drag over dots to keep only those; click one to open it.";

/** Ends of a range as they stand in an address. @param {number[]} ends */
const rangeText = (ends) => ends.map((end) => Number(end.toPrecision(3))).join(",");

/** @param {HTMLElement} main @param {Visit} visit @returns {Promise<Shown>} */
export async function show(main, { run, query }) {
  const numbers = runInNumbers(run);
  const lower = h("div", { class: "waiting", "aria-hidden": "true" });
  fill(main, numbers, lower);
  const latents = new Latents(await get("/api/latents"));
  /** @param {Changes} changes @param {Step} [step] */
  const change = (changes, step) => {
    setQuery({ page: null, ...changes }, step);
    update(params());
  };
  const filters = new Filters(latents, run, change);
  const table = new LatentTable(latents, {
    change: (changes) => {
      setQuery(changes);
      update(params(), { page: true });
    },
    link: featureLink,
    onHover: (i) => pointAt(i),
  });
  const plots = pictures(latents, run.help, change);
  const count = h("p", { class: "count", role: "status" });
  fill(
    lower,
    filters.element,
    h(
      "div",
      { class: "plots" },
      plots.map(({ figure }) => figure),
    ),
    h(
      "section",
      { "aria-labelledby": "list-title" },
      h("div", { class: "list-head" }, h("h2", { id: "list-title" }, "Latents"), count, ownLabelFiles()),
      table.element,
    ),
  );
  lower.removeAttribute("aria-hidden");
  lower.className = "";

  /** Ring the dot of a latent, wherever it is pointed at. @param {number | null} i @param {Scatter | null} from */
  function pointAt(i, from = null) {
    for (const { plot } of plots) if (plot !== from) plot.point(i);
  }
  /** @param {URLSearchParams} now @param {{ page?: boolean }} [only] the page of the table. */
  function update(now, { page = false } = {}) {
    const places = latents.chosen(now);
    const many =
      places.length === latents.length
        ? `all ${whole(latents.length)}`
        : `${whole(places.length)} of ${whole(latents.length)}`;
    count.textContent = run.labelled && !now.get("sort") ? `${many}, the best names of each concept first` : many;
    filters.show(now);
    table.show(places, now);
    if (!page) for (const { plot } of plots) plot.show(places);
    if (!places.length) announce("No latent fits.");
  }
  for (const { plot } of plots) plot.onHover = (i) => pointAt(i, plot);
  update(query);
  return {
    title: run.run,
    update,
    destroy: () => {
      for (const { plot } of plots) plot.destroy();
    },
    keys: {
      j: () => table.move(1),
      k: () => table.move(-1),
      ArrowDown: () => table.move(1),
      ArrowUp: () => table.move(-1),
      n: () => table.turn(1),
      p: () => table.turn(-1),
    },
    told: [
      ["j / k", "next, previous row; Enter opens it"],
      ["n / p", "next, previous hundred"],
    ],
  };
}

/**
 * The two pictures: how often and how strongly, and where directions lie.
 * @param {Latents} latents
 * @param {Record<string, string>} words of the run's help.
 * @param {(changes: Changes) => void} change
 */
function pictures(latents, words, change) {
  const shared = {
    group: (/** @type {number} */ i) => latents.groupOf(i),
    describe: (/** @type {number} */ i) => latentTip(latents, i),
    onOpen: (/** @type {number} */ i, /** @type {MouseEvent} */ event) => open(featureLink(latents.latent[i]), event),
  };
  const often = new Scatter({
    ...shared,
    x: latents.density,
    y: latents.max,
    log: true,
    axes: { x: "fraction of tokens it fires on", y: "largest activation" },
    label: "Scatter plot of latents: how often they fire against how strongly. The table below lists the same latents.",
    onBrush: ({ x, y }) => change({ density: rangeText(x), max: rangeText(y) }),
  });
  const map = new Scatter({
    ...shared,
    x: latents.x,
    y: latents.y,
    log: false,
    axes: null,
    label: "Map of latents whose directions lie near each other. The table below lists the same latents.",
    onBrush: ({ x, y }) => change({ box: rangeText([...x, ...y]) }),
  });
  /** @param {string} title @param {string} key @param {Scatter} plot */
  const figure = (title, key, plot) => {
    const caption = h("figcaption", {}, h("h2", {}, title), help(key, title, `${words[key]} ${BRUSH}`));
    return { plot, figure: h("figure", {}, caption, plot.element) };
  };
  return [figure("How often, how strongly", "scatter", often), figure("Latents of similar direction", "map", map)];
}

/** What a dot says. @param {Latents} latents @param {number} i */
function latentTip({ latent, label, name, rule, density, max }, i) {
  return [
    h("strong", {}, `Latent ${latent[i]}`),
    h("span", {}, label[i] ?? nameOf(name[i], rule[i], density[i] > 0).words),
    h("span", { class: "muted" }, `fires on ${oneIn(density[i])}, at most ${number(max[i])}`),
  ];
}

/** @param {string} to @param {MouseEvent} event */
function open(to, event) {
  if (event.metaKey || event.ctrlKey) window.open(to);
  else go(to);
}
