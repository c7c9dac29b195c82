// The keys of a roll that has the focus.

import { playAlone } from "./player.js";

const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

// ←/→, Home and End go from note to note, Enter is a click, Space plays and stops, Escape lets go of the note.
export function handleKey(roll, event) {
  if (event.target !== roll.element || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key in MOVES) move(roll, MOVES[event.key], event);
  else if (event.key === "Enter" && roll.chosen !== null) roll.options.onClick?.(roll.chosen, event);
  else if (event.key === "Escape" && roll.chosen !== null) roll.choose(null, event);
  else if (event.key === " " && (roll.play || roll.audio)) toggle(roll);
  else return;
  event.preventDefault();
}

// In the order of time, and from low to high; the first time to the ringed note.
function move(roll, by, event) {
  const { onset, pitch } = roll.roll.notes;
  const notes = [...onset.keys()].sort((a, b) => onset[a] - onset[b] || pitch[a] - pitch[b]);
  if (!notes.length) return;
  let place = roll.chosen === null ? notes.indexOf(roll.ringed ?? notes[0]) : notes.indexOf(roll.chosen) + by;
  if (!Number.isFinite(by)) place = by < 0 ? 0 : notes.length - 1;
  roll.choose(notes[Math.min(Math.max(place, 0), notes.length - 1)], event);
}

function toggle(roll) {
  if (roll.play) roll.play();
  else if (roll.audio.paused) playAlone(roll.audio).catch(() => {});
  else roll.audio.pause();
}
