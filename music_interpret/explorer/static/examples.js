// Examples of a latent as cards. Rolls further down are drawn when they come near the window.

import { go } from "./address.js";
import { h } from "./dom.js";
import { excerptCard, legend } from "./pianoroll.js";

const AT_ONCE = 4;
const ROUND_THE_ROLL = 124;

/** About how tall the card of an excerpt will be, so that little moves when it is drawn. */
function height({ roll, others }) {
  const { pitch } = roll.notes;
  const rows = pitch.length ? Math.max(...pitch) - Math.min(...pitch) + 3 : 13;
  return (
    Math.max(132, Math.min(280, rows * 8 + 22)) +
    ROUND_THE_ROLL +
    (roll.lanes.length > 1 ? 22 : 0) +
    (others.length ? 24 : 0)
  );
}

/** @returns {{element, legend, playFirst(), destroy()}} */
export function exampleGroups(feature, { songUrl }) {
  const maxValue = feature.statistics.max;
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
    },
    { rootMargin: "500px" },
  );
  const waiting = new Map();
  const draw = (place) => {
    const excerpt = waiting.get(place);
    watcher.unobserve(place);
    if (!excerpt) return;
    waiting.delete(place);
    const card = excerptCard(excerpt, {
      maxValue,
      songUrl,
      onClick: (note) => go(songUrl({ ...excerpt, token: excerpt.roll.notes.token[note] })),
    });
    place.append(card);
    place.style.minHeight = "";
  };
  let made = 0;
  const group = ({ kind, title, help: words, excerpts }) => {
    const places = excerpts.map((excerpt) => {
      const place = h("div", { class: "card", style: { "min-height": `${height(excerpt)}px` } });
      waiting.set(place, excerpt);
      if (made++ >= AT_ONCE) watcher.observe(place);
      else queueMicrotask(() => draw(place));
      return place;
    });
    return h(
      "section",
      { class: "group", "data-kind": kind, "aria-label": title },
      h("div", { class: "with-help" }, h("h3", {}, title), h("span", { class: "muted small" }, words)),
      excerpts.length ? h("div", { class: "cards" }, places) : h("p", { class: "muted" }, "none"),
    );
  };
  const element = h("div", { class: "examples" }, feature.examples.map(group));
  const key = h("span", { class: "legend-place" });
  legend(key, maxValue);
  return {
    element,
    legend: key,
    playFirst: () => {
      const card =
        document.activeElement?.closest?.(".card .mi-card") ??
        [...element.querySelectorAll(".mi-card")].find((one) =>
          [...one.querySelectorAll("audio")].some((audio) => !audio.paused),
        ) ??
        element.querySelector(".mi-card");
      card?.pianoRoll.play?.();
    },
    destroy: () => {
      watcher.disconnect();
      for (const card of element.querySelectorAll(".mi-card")) card.pianoRoll.destroy();
    },
  };
}
