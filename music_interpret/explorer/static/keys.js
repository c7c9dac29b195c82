// The keyboard: keys of the page that is shown, keys that hold everywhere, and a dialog that lists them.

import { go } from "./address.js";
import { h } from "./dom.js";
import { close as closeHelp } from "./help.js";

const EVERYWHERE = [
  ["/", "search"],
  ["g o · g s · g y · g c", "go to Overview, Song, Your music, Compare"],
  ["t", "light or dark"],
  ["?", "this list"],
  ["Esc", "close, or leave a field"],
];
const PLACES = { o: "/", s: "/song", y: "/yours", c: "/compare" };
let page = {};
let shown = [];
let going = 0;

/** The keys of the page: `{" ": work, j: work}`, and what they do, `[["j / k", "next, previous"]]`. */
export function setPageKeys(keys = {}, told = []) {
  page = keys;
  shown = told;
}

const typing = (element) =>
  element.closest?.("input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]");
/** Elements that use the arrow keys, Enter and Space themselves. */
const busy = (element) =>
  element.closest?.('[role="application"], [role="slider"], input, audio, canvas, [role="img"][tabindex], .scroller');
const pressed = (element) => element.closest?.("button, a[href], summary, audio, input");

export function startKeys({ search, theme }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
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
    const work = page[event.key] ?? { "/": search, "?": showKeys, t: theme }[event.key];
    if (!work) return;
    event.preventDefault();
    work(event);
  });
}

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
