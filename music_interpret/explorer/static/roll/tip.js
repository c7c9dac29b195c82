// The small label beside the chosen note, for pages that show none of their own.

import { make } from "./elements.js";
import { noteWords } from "./words.js";

export class Tip {
  constructor(roll) {
    this.roll = roll;
    this.element = null;
  }

  // Put it beside a note, above it where there is room; null takes it away.
  show(note) {
    const { geometry, colours } = this.roll;
    if (note === null || !geometry || !colours) {
      this.element?.remove();
      this.element = null;
      return;
    }
    this.element ??= make("div", "mi-roll-tip", this.roll.element);
    this.element.textContent = noteWords(this.roll.roll, note, this.roll.values).join(" · ");
    Object.assign(this.element.style, { background: colours.text, color: colours.panel });
    const box = geometry.box(this.roll.roll.notes, note);
    const left = Math.min(box.x, geometry.width - this.element.offsetWidth - 2);
    const above = box.y - this.element.offsetHeight - 7;
    this.element.style.left = `${Math.max(left, 0)}px`;
    this.element.style.top = `${above >= 0 ? above : box.y + box.height + 8}px`;
  }
}
