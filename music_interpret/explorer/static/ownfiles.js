// All own labels as a file: out, to keep or to share, and in again.

import { go } from "./address.js";
import { announce } from "./announce.js";
import { forget, messageOf, send } from "./api.js";
import { h } from "./views/dom.js";
import { counted } from "./views/words.js";

export function ownLabelFiles() {
  const said = h("span", { role: "status" });
  const field = h("input", {
    type: "file",
    accept: ".jsonl,.json,.txt",
    hidden: true,
    "aria-label": "Own labels to import",
  });
  field.addEventListener("change", async () => {
    const file = field.files?.[0];
    field.value = "";
    if (!file) return;
    try {
      const { imported } = await send("POST", "/api/own.jsonl", await file.text());
      forget("/api/latents");
      go(location.pathname + location.search, { replace: true });
      announce(`${counted(imported, "label")} imported.`);
    } catch (error) {
      said.className = "failed";
      said.textContent = messageOf(error);
    }
  });
  return h(
    "span",
    { class: "own-files" },
    said,
    "Your labels:",
    h("a", { href: "/api/own.jsonl", download: "own-labels.jsonl" }, "export"),
    h("button", { type: "button", onclick: () => field.click() }, "import"),
    field,
  );
}
