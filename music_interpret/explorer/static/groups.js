// One colour for each group of concepts: Okabe and Ito's palette ("Color Universal Design", 2008), told apart by people
// of all kinds of colour vision. Groups always stand beside their colour in words too.

import { h } from "./dom.js";

export const NO_NAME = "no name";

const COLOURS = {
  token: ["#0072b2", "#4aa8e0"],
  metre: ["#e69f00", "#f0b132"],
  voice: ["#d55e00", "#ee7a2a"],
  harmony: ["#009e73", "#1fc297"],
  key: ["#cc79a7", "#dd96bd"],
  texture: ["#56b4e9", "#8ccff5"],
  form: ["#b8a800", "#f0e442"],
  expert: ["#000000", "#ffffff"],
  own: ["#8a5a2b", "#c99a66"],
  [NO_NAME]: ["#aab0b8", "#59616c"],
};
const ORDER = Object.keys(COLOURS);

export const isDark = () => document.documentElement.dataset.theme === "dark";

/** The colour of a group in the theme of now; grey for no name or an unknown group. */
export function groupColour(group) {
  return (COLOURS[group] ?? COLOURS[NO_NAME])[isDark() ? 1 : 0];
}

export const inOrder = (groups) => [...groups].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));

/** A small dot in a group's colour; the stylesheet knows the colours, so it follows the theme. */
export function dot(group) {
  return h("span", { class: "dot", "data-group": group ?? NO_NAME, "aria-hidden": "true" });
}

/** Categorical colours for concept strips, in order of use. */
export function stripColours() {
  const dark = isDark() ? 1 : 0;
  return ["token", "metre", "harmony", "voice", "texture", "key", "form", "own"].map((name) => COLOURS[name][dark]);
}
