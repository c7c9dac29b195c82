// Choose another piece: a field that searches names, with a list under it.

import { go, params, queryOf } from "../address.js";
import { fill, h } from "../views/dom.js";
import { counted, searched, whole } from "../views/words.js";

/** @import { Songs } from "../types" */

const SHOWN = 60;
const KEPT = ["tracks", "concepts", "latent", "zoom"]; // what makes sense in another piece too

/** @param {Songs} songs @param {string} current */
export function songPicker(songs, current) {
  const field = h("input", {
    type: "search",
    id: "songs",
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": "song-list",
    "aria-autocomplete": "list",
    placeholder: `Another of ${counted(songs.song.length, "piece")} …`,
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = h("ul", { id: "song-list", role: "listbox", "aria-label": "Pieces", hidden: true });
  /** @type {number[]} */
  let found = [];
  let at = -1;
  /** @param {number} place */
  const open = (place) => {
    const query = params();
    go(`/song/${songs.song[place]}${queryOf(Object.fromEntries(KEPT.map((key) => [key, query.get(key)])))}`);
  };
  const show = () => {
    const fits = searched(field.value);
    found = [...songs.song.keys()].filter((i) => fits(`${songs.name[i]} ${songs.split[i]}`));
    at = -1;
    fill(
      list,
      found.slice(0, SHOWN).map((i, place) =>
        h(
          "li",
          {
            role: "option",
            id: `song-option-${place}`,
            "aria-selected": "false",
            class: songs.song[i] === current ? "current" : null,
            onpointerdown: (event) => {
              event.preventDefault();
              open(i);
            },
          },
          h("span", {}, songs.name[i]),
          h("small", { class: "muted" }, `${songs.split[i]}, ${counted(songs.notes[i], "note")}`),
        ),
      ),
      found.length > SHOWN
        ? h("li", { class: "muted small" }, `and ${whole(found.length - SHOWN)} more; type to search`)
        : null,
      found.length ? null : h("li", { class: "muted small" }, "No piece is called so."),
    );
    toggle(true);
  };
  /** @param {boolean} on */
  const toggle = (on) => {
    list.hidden = !on;
    field.setAttribute("aria-expanded", String(on));
    if (!on) field.removeAttribute("aria-activedescendant");
  };
  /** @param {number} by */
  const move = (by) => {
    const n = Math.min(found.length, SHOWN);
    if (!n) return;
    at = (at + by + n) % n;
    for (const [i, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(i === at));
    list.children[at].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", `song-option-${at}`);
  };
  field.addEventListener("focus", show);
  field.addEventListener("input", show);
  field.addEventListener("blur", () => toggle(false));
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) show();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && found.length && !list.hidden) open(found[Math.max(0, at)]);
    else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      toggle(false);
    }
  });
  return h(
    "div",
    { class: "picker" },
    h("label", { for: "songs", class: "out-of-sight" }, "Choose another piece"),
    field,
    list,
  );
}
