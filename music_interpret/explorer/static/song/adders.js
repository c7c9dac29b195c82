// Fields under a piece that add a latent's track or a concept's strip.

import { h } from "../views/dom.js";

/** @import { Concept } from "../types" */

/** @param {number} n how many latents there are. @param {(latent: number) => void} onAdd */
export function trackAdder(n, onAdd) {
  const field = h("input", {
    type: "number",
    min: 0,
    max: n - 1,
    id: "add-track",
    placeholder: "number",
    "aria-label": "Latent to add as a track",
  });
  const add = () => {
    const latent = Number(field.value);
    if (field.value === "" || !Number.isInteger(latent) || latent < 0 || latent >= n) return;
    field.value = "";
    onAdd(latent);
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") add();
  });
  return h(
    "span",
    { class: "field" },
    h("label", { for: "add-track", class: "title" }, "Add latent"),
    field,
    h("button", { type: "button", class: "quiet small", onclick: add }, "Add track"),
  );
}

/** @param {Concept[]} concepts @param {(name: string) => void} onAdd */
export function conceptAdder(concepts, onAdd) {
  const groups = new Set(concepts.map(({ group }) => group));
  const options = [...groups].map((label) => {
    const members = concepts.filter(({ group }) => group === label);
    return h(
      "optgroup",
      { label },
      members.map(({ name, definition }) => h("option", { value: name, title: definition }, name)),
    );
  });
  const select = h("select", { id: "add-concept" }, h("option", { value: "" }, "choose …"), options);
  select.addEventListener("change", () => {
    const name = select.value;
    select.value = "";
    if (name) onAdd(name);
  });
  return h(
    "span",
    { class: "field" },
    h("label", { for: "add-concept", class: "title" }, "Compare with concept"),
    select,
  );
}
