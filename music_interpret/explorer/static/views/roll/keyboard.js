// The keys of a roll that has the focus.

import { playAlone } from "./player.js";

/** @import { PianoRoll } from "./roll.js" */

/** @type {Record<string, number>} */
const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/**
 * ←/→, Home and End go from note to note, Enter is a click, Space plays and stops, Escape lets go of the note.
 * @param {PianoRoll} roll
 * @param {KeyboardEvent} event
 */
export function handleKey(roll, event) {
  if (event.target !== roll.element || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key in MOVES) moveBy(roll, MOVES[event.key], event);
  else if (event.key === "Enter" && roll.chosen !== null) roll.options.onClick?.(roll.chosen, event);
  else if (event.key === "Escape" && roll.chosen !== null) roll.choose(null, event);
  else if (event.key === " " && roll.play) roll.play();
  else if (event.key === " " && roll.audio) playOrPause(roll.audio);
  else return;
  event.preventDefault();
}

/**
 * In the order of time, and from low to high; the first time to the ringed note.
 * @param {PianoRoll} roll
 * @param {number} by
 * @param {KeyboardEvent} event
 */
function moveBy(roll, by, event) {
  const { onset, pitch } = roll.roll.notes;
  const notes = [...onset.keys()].sort((a, b) => onset[a] - onset[b] || pitch[a] - pitch[b]);
  if (!notes.length) return;
  let place = roll.chosen === null ? notes.indexOf(roll.ringed ?? notes[0]) : notes.indexOf(roll.chosen) + by;
  if (!Number.isFinite(by)) place = by < 0 ? 0 : notes.length - 1;
  roll.choose(notes[Math.min(Math.max(place, 0), notes.length - 1)], event);
}

/** @param {HTMLAudioElement} audio */
function playOrPause(audio) {
  if (audio.paused) playAlone(audio).catch(() => {});
  else audio.pause();
}
