// A piece of one's own: drop a file, the model and the autoencoder run on it, and its song page opens.

import { go } from "../address.js";
import { announce } from "../announce.js";
import { forget, get, messageOf, sendFile } from "../api.js";
import { fill, h } from "../views/dom.js";
import { counted } from "../views/words.js";

/** @import { Shown, Visit } from "../types" */

const KINDS = ".mid,.midi,.kar,.rmi,.musicxml,.mxl,.xml,.mscz,.mscx,.mei,.abc,.krn";

/** @param {HTMLElement} main @param {Visit} visit @returns {Promise<Shown>} */
export async function show(main, { signal }) {
  const field = h("input", { type: "file", id: "file", accept: KINDS, class: "out-of-sight" });
  const said = h("div", { class: "said", role: "status" });
  const progress = h("progress", { max: 1, hidden: true, "aria-label": "Sending the file" });
  const zone = h(
    "label",
    { for: "file", class: "drop" },
    h("strong", {}, "Drop a MIDI or MusicXML file here"),
    h("span", { class: "button" }, "or choose a file"),
    h(
      "span",
      { class: "muted small" },
      "It stays on this machine. A piece longer than the model reads is cut at its end.",
    ),
  );
  const list = h("div", {});
  let busy = false;

  /** @param {File | undefined} file */
  async function take(file) {
    if (busy || !file) return;
    busy = true;
    zone.classList.add("busy");
    said.className = "said";
    fill(said, `Reading ${file.name} …`);
    progress.hidden = false;
    progress.value = 0;
    try {
      const answer = await sendFile(`/api/yours?name=${encodeURIComponent(file.name.slice(-200))}`, file, (share) => {
        if (share < 1) progress.value = share;
        else {
          progress.removeAttribute("value");
          fill(said, `The model reads ${file.name} …`);
        }
      });
      forget("/api/songs");
      if (!answer.cut) return go(`/song/${answer.song}`);
      fill(
        said,
        h("p", {}, answer.cut),
        h("a", { class: "button", href: `/song/${answer.song}` }, `Open ${answer.name}`),
      );
      said.querySelector("a")?.focus();
      await pieces();
    } catch (error) {
      said.className = "said failed";
      fill(said, h("p", { role: "alert" }, messageOf(error)));
    } finally {
      busy = false;
      field.value = "";
      progress.hidden = true;
      zone.classList.remove("busy");
    }
  }

  async function pieces() {
    const songs = await get("/api/songs");
    const mine = songs.song.map((_, i) => i).filter((i) => songs.split[i] === "yours");
    fill(
      list,
      h("h2", {}, "Pieces of this visit"),
      mine.length
        ? h(
            "ul",
            { class: "pieces" },
            mine.map((i) =>
              h(
                "li",
                {},
                h("a", { href: `/song/${songs.song[i]}` }, songs.name[i]),
                h("span", { class: "muted small" }, counted(songs.notes[i], "note")),
              ),
            ),
          )
        : h("p", { class: "muted" }, "None yet. They are forgotten when the server ends."),
    );
  }

  field.addEventListener("change", () => take(field.files?.[0]));
  /** @param {DragEvent} event */
  const over = (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("over", event.type === "dragover");
  };
  /** @param {DragEvent} event */
  const drop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const files = event.dataTransfer?.files ?? [];
    if (files.length > 1) announce("One file at a time; the first is taken.");
    take(files[0]);
  };
  // Anywhere on the page will do; outside the zone the browser would open the file instead.
  document.addEventListener("dragover", over, { signal });
  document.addEventListener("dragleave", over, { signal });
  document.addEventListener("drop", drop, { signal });

  fill(
    main,
    h(
      "div",
      { class: "narrow" },
      h("h1", { tabindex: "-1" }, "Your music"),
      h(
        "p",
        { class: "lead" },
        "See which features a piece of your own fires. The model reads it as it reads the songs of its set, and the autoencoder says which latents are on for each note.",
      ),
      field,
      zone,
      progress,
      said,
      list,
    ),
  );
  await pieces();
  return { title: "Your music" };
}
