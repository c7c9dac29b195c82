// Colours of activations and instruments, safe for colour-blind people, on dark and on light ground.

/** @import { Palette, Theme } from "../types" */

// Like cividis (Nuñez, Anderton and Renslow, PLOS ONE 2018): lightness grows steadily, and the hue runs along the axis
// from blue to yellow that colour-blind eyes keep. The middle is greener than in cividis, whose grey would be taken for
// a silent note. On light ground the scale is turned round, so that a stronger note always stands out more.
const SCALE = ["#00224e", "#163c73", "#2a5784", "#3b7288", "#558c84", "#7ca577", "#a9bb66", "#d4ce52", "#fbe23f"];
// The part of the scale in use: its ends would be lost against a dark or light ground.
const USED = { dark: [0.22, 1], light: [0.96, 0] };
// Okabe and Ito's colours (2008) for instruments.
const LANES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];

/** @param {string} colour */
const channels = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

/**
 * The colour of an activation, as "rgb(…)".
 * @param {number} share of the largest, 0 … 1.
 * @param {Theme} [theme]
 */
export function colourOf(share, theme = "light") {
  const [low, high] = USED[theme];
  const place = (low + (high - low) * Math.min(Math.max(share, 0), 1)) * (SCALE.length - 1);
  const i = Math.min(Math.floor(place), SCALE.length - 2);
  const [from, to] = [channels(SCALE[i]), channels(SCALE[i + 1])];
  return `rgb(${from.map((value, c) => Math.round(value + (to[c] - value) * (place - i))).join(", ")})`;
}

/** @param {number} lane */
export const laneColour = (lane) => LANES[lane % LANES.length];

const DEFAULTS = {
  dark: { text: "#e8eaed", muted: "#9aa3ad", panel: "#15191f", accent: "#ff7ab8" },
  light: { text: "#1b1f24", muted: "#5d6670", panel: "#ffffff", accent: "#c2185b" },
};

/**
 * The colours that a roll is drawn in: the page's own where it has some.
 * @param {Element} element
 * @param {Theme} theme
 * @returns {Palette}
 */
export function palette(element, theme) {
  const style = getComputedStyle(element);
  /** @param {keyof typeof DEFAULTS.dark} name */
  const colour = (name) => style.getPropertyValue(`--mi-${name}`).trim() || DEFAULTS[theme][name];
  return { theme, text: colour("text"), muted: colour("muted"), panel: colour("panel"), accent: colour("accent") };
}
