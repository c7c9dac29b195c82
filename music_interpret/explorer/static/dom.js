// Elements from data without innerHTML: children that are not elements become text, so nothing in them is ever markup.

const SVG = "http://www.w3.org/2000/svg";
const AS_PROPERTY = new Set(["value", "checked", "disabled", "hidden", "selected", "indeterminate"]);

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, to] of Object.entries(value)) element.style.setProperty(key, to);
    else if (AS_PROPERTY.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(String(child));
  }
}

/** An HTML element: `h("a", {href: "/", class: "x", onclick: f}, "text", other, [more])`. */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/** Put other children in place of an element's own. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Say something to people who listen to the page. */
export function announce(text) {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
}

/** Call `work` once things have been quiet for so many milliseconds. */
export function quiet(work, wait = 150) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
}

/** The value of a CSS variable, for canvases. */
export function cssColour(name, element = document.documentElement) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}
