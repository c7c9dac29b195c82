// Whether an element stands on light or dark ground, and what to do when that changes.

/** @import { Theme } from "./types" */

/**
 * Of the nearest [data-theme], else by the colour of the text, else what the system prefers.
 * @param {Element} element
 * @returns {Theme}
 */
export function themeOf(element) {
  const said = element.closest("[data-theme]")?.getAttribute("data-theme");
  if (said === "dark" || said === "light") return said;
  const light = element.isConnected ? isLight(getComputedStyle(element).color) : null;
  if (light !== null) return light ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @param {string} colour */
function isLight(colour) {
  const found = /rgba?\(([\d.]+)[, ]+([\d.]+)[, ]+([\d.]+)/.exec(colour);
  return found ? 0.299 * Number(found[1]) + 0.587 * Number(found[2]) + 0.114 * Number(found[3]) > 140 : null;
}

/** @type {Set<{owner: WeakRef<object>, call(owner: any): void}>} */
const watchers = new Set();
let watching = false;

function tellAll() {
  for (const watcher of watchers) {
    const owner = watcher.owner.deref();
    if (owner) watcher.call(owner);
    else watchers.delete(watcher);
  }
}

/**
 * Call `call(owner)` when the theme or the resolution of the screen may have changed, as long as the owner lives.
 * @template {object} T
 * @param {T} owner
 * @param {(owner: T) => void} call
 * @returns {() => void} what ends that.
 */
export function onThemeChange(owner, call) {
  const watcher = { owner: new WeakRef(owner), call };
  watchers.add(watcher);
  if (!watching) {
    watching = true;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellAll);
    addEventListener("resize", tellAll);
    const attributes = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] };
    const observer = new MutationObserver(() => requestAnimationFrame(tellAll));
    for (const node of [document.documentElement, document.body]) if (node) observer.observe(node, attributes);
  }
  return () => watchers.delete(watcher);
}

/**
 * Give an element the background `of(theme)`, now, once it stands in the page, and whenever the theme changes.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {(theme: Theme) => string} of
 */
export function inTheme(element, of) {
  /** @param {HTMLElement} painted */
  const paint = (painted) => {
    painted.style.background = of(themeOf(painted));
  };
  paint(element);
  requestAnimationFrame(() => paint(element));
  onThemeChange(element, paint);
  return element;
}
