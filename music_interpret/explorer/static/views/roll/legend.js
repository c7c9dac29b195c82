// A key to the colours of activations: off, then the scale from 0 to the largest.

import { h } from "../dom.js";
import { inTheme } from "../theme.js";
import { number } from "../words.js";
import { colourOf } from "./colours.js";

const STOPS = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** @param {number} maxValue @param {string} [what] */
export function legend(maxValue, what = "activation") {
  const most = number(maxValue);
  const label = `Colours: ${what} from 0 to ${most}; outlined notes are off`;
  const scale = inTheme(h("span", { class: "mi-legend-scale" }), (theme) => {
    return `linear-gradient(to right, ${STOPS.map((share) => colourOf(share, theme)).join(", ")})`;
  });
  return h(
    "div",
    { class: "mi-legend", role: "img", "aria-label": label },
    h("span", { class: "mi-legend-off" }),
    h("span", {}, "off"),
    h("span", { class: "mi-legend-low" }, "0"),
    scale,
    h("span", {}, most),
    h("span", {}, what),
  );
}
