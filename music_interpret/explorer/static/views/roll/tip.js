// The small label next to the chosen note, for pages that show none of their own.

import { h } from "../dom.js";
import { noteWords } from "./words.js";

/** @import { PianoRoll } from "./roll.js" */

export class Tip {
  /** @param {PianoRoll} roll */
  constructor(roll) {
    this.roll = roll;
    this.element = h("div", { class: "mi-roll-tip" });
  }

  /** Put it next to a note, above it where there is room; null takes it away. @param {number | null} note */
  show(note) {
    const { geometry, colours, roll, values, element } = this.roll;
    this.element.remove();
    if (note === null || !geometry || !colours) return;
    element.append(this.element);
    this.element.textContent = noteWords(roll, note, values).join(" · ");
    Object.assign(this.element.style, { background: colours.text, color: colours.panel });
    const box = geometry.box(roll.notes, note);
    const left = Math.min(box.x, geometry.width - this.element.offsetWidth - 2);
    const above = box.y - this.element.offsetHeight - 7;
    this.element.style.left = `${Math.max(left, 0)}px`;
    this.element.style.top = `${above >= 0 ? above : box.y + box.height + 8}px`;
  }
}
