// Names of notes and keys as people type them: one text for all of them; music/name_search.py does the same.

const FOUND_AS = ["c", "c♯", "d", "e♭", "e", "f", "f♯", "g", "a♭", "a", "b♭", "b"];
/** @type {Record<string, number>} */
const LETTER_PITCH = { c: 0, d: 2, e: 4, f: 5, g: 7, a: 9, b: 11 };
const TYPED_NOTE = /(?<![a-z♭♯])([a-g])(?:[ -]?(sharp|flat)(?![a-z])|(♭|♯|#)(?![♭♯#])|(b|is|es)(?![a-zb♭♯#]))/g;
const TYPED_DEGREE = /(?<![a-z♭♯])([♭♯])(?=[1-7])/g;
const RAISED = ["sharp", "♯", "#", "is"];

/** A text in small letters, in which each note has one name. @param {string} text */
export function searchable(text) {
  return text
    .toLowerCase()
    .replace(TYPED_NOTE, (_, letter, word, sign, suffix) => {
      const up = RAISED.includes(word ?? sign ?? suffix);
      const name = FOUND_AS[(LETTER_PITCH[letter] + (up ? 1 : 11)) % 12];
      return name.length > 1 ? name : letter + (up ? "♯" : "♭"); // B♯ is C, but in another octave
    })
    .replace(TYPED_DEGREE, (_, sign) => (sign === "♭" ? "b" : "#"));
}
