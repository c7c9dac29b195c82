// Plain-words help: a "?" beside a number that opens by mouse, touch and keyboard. Most words come from the server.

import { h } from "./dom.js";

const OWN_WORDS = {
  brush: "Drag over dots to keep only those; click one to open it.",
};

let words = {};
let box = null;
let opener = null;
let pinned = false;

/** Told once what /api/run says. */
export function setHelp(help) {
  words = help ?? {};
}

export const explain = (key) => words[key] ?? OWN_WORDS[key] ?? null;

/** A "?" button for a key, or for a sentence of its own; nothing where there are no words. */
export function help(key, name = key, sentence = null) {
  const button = h(
    "button",
    {
      type: "button",
      class: "help",
      "aria-label": `What is ${String(name).replaceAll("_", " ")}?`,
      "aria-expanded": "false",
    },
    "?",
  );
  const said = () => sentence ?? explain(key);
  if (!said()) return null;
  button.addEventListener("mouseenter", () => open(button, said(), false));
  button.addEventListener("mouseleave", () => !pinned && opener === button && close());
  button.addEventListener("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (opener === button && pinned) close();
    else open(button, said(), true);
  });
  button.addEventListener("blur", () => opener === button && close());
  return button;
}

function open(button, text, pin) {
  if (opener && opener !== button) close();
  if (!box) {
    box = h("div", { id: "help", class: "popover", role: "status" });
    document.body.append(box);
  }
  box.textContent = text;
  box.hidden = false;
  opener = button;
  pinned = pin || pinned;
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-controls", "help");
  place(button.getBoundingClientRect());
}

function place(at) {
  const width = Math.min(320, window.innerWidth - 24);
  box.style.width = `${width}px`;
  const left = Math.max(12, Math.min(at.left + at.width / 2 - width / 2, window.innerWidth - width - 12));
  const below = at.bottom + 8 + box.offsetHeight < window.innerHeight;
  box.style.left = `${left}px`;
  box.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - box.offsetHeight - 8)}px`;
}

/** Close what is open; true if something was. */
export function close() {
  if (!opener) return false;
  opener.setAttribute("aria-expanded", "false");
  opener = null;
  pinned = false;
  box.hidden = true;
  return true;
}

document.addEventListener("pointerdown", (event) => {
  if (opener && !opener.contains(event.target) && !box.contains(event.target)) close();
});
window.addEventListener("scroll", () => close(), { passive: true, capture: true });
