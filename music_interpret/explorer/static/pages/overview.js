// All latents of the run: what it is in numbers, two pictures, and a table; the same filters hold for all three.

import { go, params, setQuery } from "../address.js";
import { get } from "../api.js";
import { announce, fill, h } from "../dom.js";
import { Filters } from "../filters.js";
import { explain, help } from "../help.js";
import { featureLink, Latents } from "../latents.js";
import { runInNumbers } from "../numbers.js";
import { ownLabelFiles } from "../ownfiles.js";
import { Scatter } from "../scatter.js";
import { LatentTable } from "../table.js";
import { fixed, oneIn, whole } from "../words.js";

const round = (value, digits = 3) => Number(value.toPrecision(digits));

export async function show(main, { run, query }) {
  const numbers = runInNumbers(run);
  const lower = h("div", { class: "waiting", "aria-hidden": "true" });
  fill(main, numbers, lower);
  const latents = new Latents(await get("/api/latents"));
  const change = (changes, options) => {
    setQuery({ page: null, ...changes }, options);
    update(params(), options);
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
  const [plots, drawn] = pictures(latents, change);
  const count = h("p", { class: "count", role: "status" });
  fill(
    lower,
    filters.element,
    plots,
    h(
      "section",
      { "aria-labelledby": "list-title" },
      h("div", { class: "list-head" }, h("h2", { id: "list-title" }, "Latents"), count, ownLabelFiles()),
      table.element,
    ),
  );
  lower.removeAttribute("aria-hidden");
  lower.className = "";

  function pointAt(i, from = null) {
    for (const plot of drawn) if (plot !== from) plot.point(i);
  }
  function update(now, { page = false } = {}) {
    const places = latents.chosen(now);
    const many =
      places.length === latents.length
        ? `all ${whole(latents.length)}`
        : `${whole(places.length)} of ${whole(latents.length)}`;
    count.textContent = run.labelled && !now.get("sort") ? `${many}, the best names of each concept first` : many;
    filters.show(now);
    table.show(places, now);
    if (!page) for (const plot of drawn) plot.show(places);
    if (!places.length) announce("No latent fits.");
  }
  for (const plot of drawn) plot.onHover = (i) => pointAt(i, plot);
  update(query);
  return {
    title: run.run,
    update,
    destroy: () => {
      for (const plot of drawn) plot.destroy();
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

/** The two pictures: how often and how strongly, and where directions lie. */
function pictures(latents, change) {
  const describe = (i) => {
    const name =
      latents.label[i] ?? latents.name[i] ?? (latents.rule[i] ? `no name; nearest: ${latents.rule[i]}` : "no name");
    return [
      h("strong", {}, `Latent ${latents.latent[i]}`),
      h("span", {}, name),
      h("span", { class: "muted" }, `fires on ${oneIn(latents.density[i])}, at most ${fixed(latents.max[i])}`),
    ];
  };
  const shared = {
    group: (i) => latents.groupOf(i),
    describe,
    onOpen: (i, event) => open(featureLink(latents.latent[i]), event),
  };
  const often = new Scatter({
    ...shared,
    x: latents.density,
    y: latents.max,
    log: true,
    axes: ["share of tokens it fires on", "largest activation", "%"],
    label: "Scatter plot of latents: how often they fire against how strongly. The table below lists the same latents.",
    onBrush: ({ x, y }) =>
      change({ density: x.map((end) => round(end)).join(","), max: y.map((end) => round(end)).join(",") }),
  });
  const map = new Scatter({
    ...shared,
    x: latents.x,
    y: latents.y,
    log: false,
    axes: null,
    label: "Map of latents whose directions lie near each other. The table below lists the same latents.",
    onBrush: ({ x, y }) => change({ box: [...x, ...y].map((end) => round(end)).join(",") }),
  });
  const figure = (title, key, plot) =>
    h(
      "figure",
      {},
      h("figcaption", {}, h("h2", {}, title), help(key, title, `${explain(key) ?? ""} ${explain("brush")}`)),
      plot.element,
    );
  return [
    h(
      "div",
      { class: "plots" },
      figure("How often, how strongly", "scatter", often),
      figure("What lies near what", "map", map),
    ),
    [often, map],
  ];
}

function open(to, event) {
  if (event?.metaKey || event?.ctrlKey) window.open(to);
  else go(to);
}
