// Pitches and places of a roll in words.

import { counted, number } from "../words.js";

/** @import { Roll } from "../shapes" */

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const LETTERS = "FCGDAEB";
const NATURALS = [5, 0, 7, 2, 9, 4, 11];
const BLACK = [1, 3, 6, 8, 10];
/** @type {[number, string][]} */
const FRACTIONS = [
  [1 / 4, "¼"],
  [1 / 3, "⅓"],
  [1 / 2, "½"],
  [2 / 3, "⅔"],
  [3 / 4, "¾"],
  [1 / 6, "⅙"],
  [5 / 6, "⅚"],
];

/** C4 is middle C, MIDI note 60; black keys are called as in the names of latents. @param {number} pitch */
export function pitchName(pitch) {
  return NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
}

/** The note as it is spelled: its number on the line of fifths, C being 0. @param {Roll} roll @param {number} note */
export function noteName({ notes }, note) {
  const along = notes.spelling[note] + 1;
  const accidentals = Math.floor(along / 7);
  const letter = along - 7 * accidentals;
  const octave = Math.floor((notes.pitch[note] - accidentals - NATURALS[letter]) / 12) - 1;
  return LETTERS[letter] + (accidentals < 0 ? "♭" : "♯").repeat(Math.abs(accidentals)) + octave;
}

/** @param {number} pitch */
export function isBlackKey(pitch) {
  return BLACK.includes(pitch % 12);
}

/**
 * The bar that a step is in, null where the roll knows no bar line, and its beat, from 1.
 * @param {Roll} roll
 * @param {number} step
 */
function placeOf(roll, step) {
  const bars = roll.bars;
  if (!bars.length) return { bar: null, beat: (step - roll.start) / roll.resolution + 1 };
  let i = -1;
  while (i + 1 < bars.length && bars[i + 1] <= step) i += 1;
  let begin = bars[Math.max(i, 0)];
  if (i < 0) {
    // Before the first line shown: the bar is taken to be as long as the one after it.
    begin -= bars.length > 1 ? bars[1] - bars[0] : Math.ceil((begin - step) / roll.resolution) * roll.resolution;
  }
  return { bar: i < 0 ? roll.bar_numbers[0] - 1 : roll.bar_numbers[i], beat: (step - begin) / roll.resolution + 1 };
}

/** @param {number} beat */
function beatWords(beat) {
  const whole = Math.floor(beat + 1e-6);
  const rest = beat - whole;
  if (Math.abs(rest) < 0.01) return String(whole);
  const found = FRACTIONS.find(([value]) => Math.abs(value - rest) < 0.01);
  return found ? whole + found[1] : beat.toFixed(2);
}

/** "bar 6, beat 1½", or "upbeat, beat 4" for the notes before bar 1. @param {Roll} roll @param {number} step */
export function placeWords(roll, step) {
  const { bar, beat } = placeOf(roll, step);
  if (bar === null) return `beat ${beatWords(beat)} of this part`;
  return `${bar < 1 ? "upbeat" : `bar ${bar}`}, beat ${beatWords(beat)}`;
}

/** The roll in one sentence, for those who do not see it. @param {Roll} roll @param {number[] | null} values */
export function rollWords(roll, values) {
  const n = roll.notes.onset.length;
  const { bar: first } = placeOf(roll, roll.start);
  const { bar: last } = placeOf(roll, Math.max(roll.end - 1, roll.start));
  const bars =
    first === null ? "" : first === last ? `, bar ${Math.max(first, 0)}` : `, bars ${Math.max(first, 0)} to ${last}`;
  const head = `Piano roll of ${roll.name}${bars}: ${counted(n, "note")}`;
  if (!values) return head;
  let strongest = -1;
  for (let i = 0; i < n; i += 1) if (values[i] > 0 && !(values[i] <= values[strongest])) strongest = i;
  if (strongest < 0) return `${head}, on none of which it fires`;
  const fires = values.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0);
  const where = `${noteName(roll, strongest)} at ${placeWords(roll, roll.notes.onset[strongest])}`;
  return `${head}; it fires on ${fires}, strongest on ${where} (${number(values[strongest])})`;
}

/** One note in words. @param {Roll} roll @param {number} note @param {number[] | null} values */
export function noteWords(roll, note, values) {
  const { onset, lane } = roll.notes;
  const parts = [noteName(roll, note), placeWords(roll, onset[note])];
  if (roll.lanes[lane[note]]) parts.push(roll.lanes[lane[note]].name);
  if (values) parts.push(values[note] > 0 ? number(values[note]) : "off");
  return parts;
}
