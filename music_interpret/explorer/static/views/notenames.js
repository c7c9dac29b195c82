// Names of notes and keys as people type them: one text for all of them; music/name_search.py does the same.

const NAMES = ["c", "c♯", "d", "e♭", "e", "f", "f♯", "g", "a♭", "a", "b♭", "b"];
/** @type {Record<string, number>} */
const PITCH = { c: 0, d: 2, e: 4, f: 5, g: 7, a: 9, b: 11 };
const NOTE = /(?<![a-z♭♯])([a-g])(?:[ -]?(sharp|flat)(?![a-z])|(♭|♯|#)(?![♭♯#])|(b|is|es)(?![a-zb♭♯#]))/g;
const DEGREE = /(?<![a-z♭♯])([♭♯])(?=[1-7])/g;
const UP = ["sharp", "♯", "#", "is"];

/** A text in small letters, in which each note has one name. @param {string} text */
export function searchable(text) {
  return text
    .toLowerCase()
    .replace(NOTE, (_, letter, word, sign, suffix) => {
      const up = UP.includes(word ?? sign ?? suffix);
      const name = NAMES[(PITCH[letter] + (up ? 1 : 11)) % 12];
      return name.length > 1 ? name : letter + (up ? "♯" : "♭"); // B♯ is C, but in another octave
    })
    .replace(DEGREE, (_, sign) => (sign === "♭" ? "b" : "#"));
}
