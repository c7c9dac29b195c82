// Colours of activations and instruments, safe for colour-blind people, on dark and on light ground.

import { number } from "./words.js";

// Like cividis (Nuñez, Anderton and Renslow, PLOS ONE 2018): lightness grows steadily, and the hue runs along the axis
// from blue to yellow that colour-blind eyes keep. The middle is greener than in cividis, whose grey would be taken for
// a silent note. On light ground the scale is turned round, so that a stronger note always stands out more.
const SCALE = ["#00224e", "#163c73", "#2a5784", "#3b7288", "#558c84", "#7ca577", "#a9bb66", "#d4ce52", "#fbe23f"];
// The part of the scale in use: its ends would be lost against a dark or light ground.
const USED = { dark: [0.22, 1], light: [0.96, 0] };
// Okabe and Ito's colours (2008) for instruments.
const LANES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];

function channels(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}

// The colour of an activation that is `share` (0 … 1) of the largest, as "rgb(…)".
export function colourOf(share, theme = "light") {
  const [low, high] = USED[theme] ?? USED.light;
  const place = (low + (high - low) * Math.min(Math.max(share, 0), 1)) * (SCALE.length - 1);
  const i = Math.min(Math.floor(place), SCALE.length - 2);
  const [from, to] = [channels(SCALE[i]), channels(SCALE[i + 1])];
  return `rgb(${from.map((value, c) => Math.round(value + (to[c] - value) * (place - i))).join(", ")})`;
}

export function laneColour(lane) {
  return LANES[lane % LANES.length];
}

function isLight(colour) {
  const found = /rgba?\(([\d.]+)[, ]+([\d.]+)[, ]+([\d.]+)/.exec(colour);
  return found ? 0.299 * found[1] + 0.587 * found[2] + 0.114 * found[3] > 140 : null;
}

// "dark" or "light": of the nearest [data-theme], else by the colour of the text, else what the system prefers.
export function themeOf(element) {
  const said = element.closest("[data-theme]")?.dataset.theme;
  if (said === "dark" || said === "light") return said;
  const light = element.isConnected ? isLight(getComputedStyle(element).color) : null;
  if (light !== null) return light ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

const DEFAULTS = {
  dark: { text: "#e8eaed", muted: "#9aa3ad", panel: "#15191f", accent: "#ff7ab8" },
  light: { text: "#1b1f24", muted: "#5d6670", panel: "#ffffff", accent: "#c2185b" },
};

// The colours that a roll is drawn in: the page's own where it has some.
export function palette(element, theme) {
  const style = getComputedStyle(element);
  const found = { theme };
  for (const [name, colour] of Object.entries(DEFAULTS[theme])) {
    found[name] = style.getPropertyValue(`--mi-${name}`).trim() || colour;
  }
  return found;
}

const watchers = new Set();
let watching = false;

function tellAll() {
  for (const watcher of watchers) {
    const owner = watcher.owner.deref();
    if (owner) watcher.call(owner);
    else watchers.delete(watcher);
  }
}

// Call `call(owner)` when the theme or the resolution of the screen may have changed, as long as the owner lives.
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

// A key to the colours: off, then the scale from 0 to the largest activation.
export function legend(container, maxValue, words = "activation") {
  const element = document.createElement("div");
  element.className = "mi-legend";
  const part = (name, text) => {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text;
    element.append(span);
    return span;
  };
  part("mi-legend-off", "");
  part("", "off");
  part("mi-legend-low", "0");
  const scale = part("mi-legend-scale", "");
  part("", number(maxValue));
  part("mi-legend-words", words);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", `Colours: ${words} from 0 to ${number(maxValue)}; outlined notes are off`);
  container.append(element);
  inTheme(scale, (theme) => {
    const stops = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => colourOf(share, theme));
    return `linear-gradient(to right, ${stops.join(", ")})`;
  });
  return element;
}

// Give an element the background `of(theme)`, now, once it stands in the page, and whenever the theme changes.
export function inTheme(element, of) {
  const paint = (painted) => {
    painted.style.background = of(themeOf(painted));
  };
  paint(element);
  requestAnimationFrame(() => paint(element));
  onThemeChange(element, paint);
}
