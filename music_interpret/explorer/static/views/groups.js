// One colour for each group of concepts: Okabe and Ito's palette ("Color Universal Design", 2008), distinct to people
// with all kinds of colour vision. Groups are always named in words next to their colour too.

import { h } from "./dom.js";

/** @import { Theme } from "./types" */

export const NO_NAME = "no name";

/** On light and on dark ground. @type {Record<string, Record<Theme, string>>} */
const COLOURS = {
  token: { light: "#0072b2", dark: "#4aa8e0" },
  metre: { light: "#e69f00", dark: "#f0b132" },
  voice: { light: "#d55e00", dark: "#ee7a2a" },
  harmony: { light: "#009e73", dark: "#1fc297" },
  key: { light: "#cc79a7", dark: "#dd96bd" },
  texture: { light: "#56b4e9", dark: "#8ccff5" },
  form: { light: "#b8a800", dark: "#f0e442" },
  expert: { light: "#000000", dark: "#ffffff" },
  own: { light: "#8a5a2b", dark: "#c99a66" },
  [NO_NAME]: { light: "#aab0b8", dark: "#59616c" },
};
const ORDER = Object.keys(COLOURS);
const STRIPS = ["token", "metre", "harmony", "voice", "texture", "key", "form", "own"];

/** The colour of a group; grey for no name or an unknown group. @param {string} group @param {Theme} theme */
export const groupColour = (group, theme) => (COLOURS[group] ?? COLOURS[NO_NAME])[theme];

/** @param {Iterable<string>} groups */
export const inOrder = (groups) => [...groups].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));

/** A small dot in a group's colour; the stylesheet knows the colours, so it follows the theme. */
export const dot = (/** @type {string | null} */ group) =>
  h("span", { class: "dot", "data-group": group ?? NO_NAME, "aria-hidden": "true" });

/** Categorical colours for concept strips, in order of use. @param {Theme} theme */
export const stripColours = (theme) => STRIPS.map((name) => groupColour(name, theme));
