// Elements in one call.

// A new element; its text is never read as HTML.
export function make(name, className, parent = null, text = null) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== null) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}
