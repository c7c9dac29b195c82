// Examples of a latent as cards, in groups; those further down are drawn when they come near the window.

import { h } from "./dom.js";
import { Later } from "./later.js";
import { excerptCard } from "./roll/card.js";
import { legend } from "./roll/legend.js";

/** @import { Examples, Excerpt, Feature } from "./shapes" */
/** @import { CardOptions } from "./types" */

const AT_ONCE = 4;
const ROUND_THE_ROLL = 124;

/**
 * A grid of excerpts.
 * @param {Excerpt[]} excerpts
 * @param {Later} later draws the cards.
 * @param {CardOptions & {onOpen?: (excerpt: Excerpt, token: number) => void}} options
 *   of the cards; `onOpen` is called with the excerpt and the token of a note that is clicked.
 */
export function cards(excerpts, later, { onOpen, ...options }) {
  const places = excerpts.map((excerpt) => {
    const onClick = onOpen && ((/** @type {number} */ note) => onOpen(excerpt, excerpt.roll.notes.token[note]));
    const place = h("div", { class: "card", style: { "min-height": `${heightOf(excerpt, options.height)}px` } });
    later.add(place, () => {
      place.append(excerptCard(excerpt, { onClick, ...options }));
      place.style.minHeight = "";
    });
    return place;
  });
  return h("div", { class: "cards" }, places);
}

/**
 * About how tall the card of an excerpt will be, so that little moves when it is drawn.
 * @param {Excerpt} excerpt
 * @param {number | undefined} rollHeight
 */
function heightOf({ roll, others }, rollHeight) {
  const { pitch } = roll.notes;
  const rows = pitch.length ? Math.max(...pitch) - Math.min(...pitch) + 3 : 13;
  const height = rollHeight ?? Math.max(132, Math.min(280, rows * 8 + 22));
  return height + ROUND_THE_ROLL + (roll.lanes.length > 1 ? 22 : 0) + (others.length ? 24 : 0);
}

/**
 * All examples of a latent.
 * @param {Pick<Feature, "examples" | "statistics">} feature
 * @param {Parameters<typeof cards>[2]} options
 */
export function exampleGroups({ examples, statistics }, options) {
  const later = new Later(AT_ONCE);
  const element = h(
    "div",
    { class: "examples" },
    examples.map((group) => exampleGroup(group)),
  );

  /** @param {Examples} group */
  function exampleGroup({ kind, title, help, excerpts }) {
    return h(
      "section",
      { class: "group", "data-kind": kind, "aria-label": title },
      h("div", { class: "with-help" }, h("h3", {}, title), h("span", { class: "muted small" }, help)),
      excerpts.length
        ? cards(excerpts, later, { maxValue: statistics.max, ...options })
        : h("p", { class: "muted" }, "none"),
    );
  }
  const drawn = () => [...element.querySelectorAll("article")];
  return {
    element,
    legend: h("span", { class: "legend-place" }, legend(statistics.max)),
    /** Play or stop the example with the focus, else the one that plays, else the first. */
    playFirst() {
      const playing = (/** @type {HTMLElement} */ card) =>
        [...card.querySelectorAll("audio")].some(({ paused }) => !paused);
      const card = drawn().find((one) => one.contains(document.activeElement)) ?? drawn().find(playing) ?? drawn()[0];
      card?.pianoRoll?.play?.();
    },
    destroy() {
      later.stop();
      for (const card of drawn()) card.pianoRoll?.destroy();
    },
  };
}
