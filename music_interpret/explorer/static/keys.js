// The keyboard: keys of the page that is shown, keys that hold everywhere, and a dialog that lists them.

import { go } from "./address.js";
import { h } from "./views/dom.js";
import { closeHelp } from "./views/help.js";

/** @import { Keys, KeyWords } from "./types" */

/** @type {KeyWords} */
const EVERYWHERE = [
  ["/", "search"],
  ["g o · g s · g y · g c", "go to Overview, Song, Your music, Compare"],
  ["t", "light or dark"],
  ["?", "this list"],
  ["Esc", "close, or leave a field"],
];
/** @type {Record<string, string>} */
const PLACES = { o: "/", s: "/song", y: "/yours", c: "/compare" };
/** @type {Keys} */
let page = {};
/** @type {KeyWords} */
let shown = [];
let going = 0;

/** The keys of the page, and what they do. @param {Keys} [keys] @param {KeyWords} [told] */
export function setPageKeys(keys = {}, told = []) {
  page = keys;
  shown = told;
}

/** Elements that one types into. @param {HTMLElement} element */
const typing = (element) =>
  element.closest("input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]");
/** Elements that use the arrow keys, Enter and Space themselves. @param {HTMLElement} element */
const busy = (element) =>
  element.closest('[role="application"], [role="slider"], input, audio, canvas, [role="img"][tabindex], .scroller');
/** Elements that Space presses. @param {HTMLElement} element */
const pressed = (element) => element.closest("button, a[href], summary, audio, input");

/** @param {{ search: () => void, theme: () => void }} does what "/" and "t" do. */
export function startKeys({ search, theme }) {
  /** @type {Keys} */
  const everywhere = { "/": search, "?": showKeys, t: theme };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target instanceof HTMLElement ? event.target : document.body;
    if (event.key === "Escape") return void leave(at);
    if (typing(at) || document.querySelector("dialog[open]")) return;
    const arrow = event.key.startsWith("Arrow");
    if ((arrow && busy(at)) || (event.key === " " && (busy(at) || pressed(at)))) return;
    if (performance.now() < going && PLACES[event.key]) {
      going = 0;
      event.preventDefault();
      return go(PLACES[event.key]);
    }
    if (event.key === "g") going = performance.now() + 1200;
    const work = page[event.key] ?? everywhere[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
}

/** @param {HTMLElement} at */
function leave(at) {
  if (closeHelp()) return;
  if (typing(at)) at.blur();
}

/** The dialog with all keys that do something here. */
export function showKeys() {
  const rows = [...shown, ...EVERYWHERE].map(([keys, what]) =>
    h(
      "div",
      {},
      h(
        "dt",
        {},
        keys.split(" ").map((key) => (key === "·" || (key === "/" && keys !== "/") ? ` ${key} ` : h("kbd", {}, key))),
      ),
      h("dd", {}, what),
    ),
  );
  const dialog = h(
    "dialog",
    { class: "keys", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", {}, rows),
    h("button", { class: "quiet", type: "button", autofocus: true, onclick: () => dialog.close() }, "Close"),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
