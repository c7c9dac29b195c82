// Elements from data without innerHTML: children that are not elements become text, so nothing in them is ever markup.

/** @import { Child, Props } from "./types" */

const SVG = "http://www.w3.org/2000/svg";
const AS_PROPERTY = new Set(["value", "checked", "disabled", "hidden", "selected"]);

/**
 * An HTML element: `h("a", {href: "/", class: "x", onclick: f}, "text", other, [more])`.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {Child[]} children
 */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {Child[]} children
 */
export function svg(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/**
 * @template {HTMLElement | SVGElement} E
 * @param {E} element
 * @param {Props} [props]
 * @param {Child[]} children
 */
function build(element, props = {}, children = []) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "style")
      for (const [key, to] of Object.entries(/** @type {Record<string, string>} */ (value)))
        element.style.setProperty(key, to);
    else if (AS_PROPERTY.has(name)) Object.assign(element, { [name]: value });
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {readonly Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child instanceof Node) element.append(child);
    else if (typeof child === "object" && child !== null) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(String(child));
  }
}

/**
 * Put other children in place of an element's own.
 * @template {Element} E
 * @param {E} element
 * @param {Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** The value of a CSS variable, for canvases. @param {string} name */
export function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Call `work` once things have been quiet for so many milliseconds.
 * @param {() => void} work
 */
export function quiet(work, wait = 150) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}
