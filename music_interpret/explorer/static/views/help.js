// Plain-words help: a "?" next to a number that opens a box by mouse, touch and keyboard.

import { h } from "./dom.js";

/** @import { Help } from "./types" */

/** The box that is open, of which there is one: its button, and whether a click or the keyboard opened it. */
const shown = {
  /** @type {HTMLElement | null} */
  box: null,
  /** @type {HTMLElement | null} */
  opener: null,
  pinned: false,
};

/**
 * A "?" button.
 * @param {string} name of what it explains.
 * @param {string} text what it says.
 */
function helpButton(name, text) {
  const button = h(
    "button",
    { type: "button", class: "help", "aria-label": `What is ${name}?`, "aria-expanded": "false" },
    "?",
  );
  button.addEventListener("mouseenter", () => openHelp(button, text, false));
  button.addEventListener("mouseleave", () => {
    if (!shown.pinned && shown.opener === button) closeHelp();
  });
  button.addEventListener("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (shown.opener === button && shown.pinned) closeHelp();
    else openHelp(button, text, true);
  });
  button.addEventListener("blur", () => {
    if (shown.opener === button) closeHelp();
  });
  return button;
}

/**
 * The "?" for the keys of a table of words.
 * @param {Record<string, string>} table
 * @returns {Help}
 */
export function helpFrom(table) {
  return (key, title, words = table[key]) => (words ? helpButton(title, words) : null);
}

/** @param {HTMLElement} button @param {string} text @param {boolean} pin */
function openHelp(button, text, pin) {
  if (shown.opener !== button) closeHelp();
  const box = shown.box ?? makeBox();
  box.textContent = text;
  box.hidden = false;
  shown.opener = button;
  shown.pinned = pin || shown.pinned;
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-controls", box.id);
  putBeside(box, button.getBoundingClientRect());
}

function makeBox() {
  const box = h("div", { id: "help", class: "popover", role: "status" });
  document.body.append(box);
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !shown.opener?.contains(target) && !box.contains(target)) closeHelp();
  });
  addEventListener("scroll", closeHelp, { passive: true, capture: true });
  shown.box = box;
  return box;
}

/** @param {HTMLElement} box @param {DOMRect} at */
function putBeside(box, at) {
  const width = Math.min(320, window.innerWidth - 24);
  box.style.width = `${width}px`;
  const left = Math.max(12, Math.min(at.left + at.width / 2 - width / 2, window.innerWidth - width - 12));
  const below = at.bottom + 8 + box.offsetHeight < window.innerHeight;
  box.style.left = `${left}px`;
  box.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - box.offsetHeight - 8)}px`;
}

/** Close what is open; true if something was. */
export function closeHelp() {
  if (!shown.opener || !shown.box) return false;
  shown.opener.setAttribute("aria-expanded", "false");
  shown.opener = null;
  shown.pinned = false;
  shown.box.hidden = true;
  return true;
}
