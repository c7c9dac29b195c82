// Piano rolls that light up and play, for the page, the self-contained report and the notebook alike.
//
// Times are whole steps from the song's first beat, as in the server's JSON; x and y are CSS pixels from the top left
// corner of `roll.element`. Nothing here loads anything or depends on a style sheet: colours come from the variables
// --mi-text, --mi-muted, --mi-line, --mi-panel and --mi-accent where the page has them.

export { excerptCard } from "./roll/card.js";
export { colourOf } from "./roll/colours.js";
export { legend } from "./roll/legend.js";
export { playAlone, stopPlaying } from "./roll/player.js";
export { PianoRoll } from "./roll/roll.js";
export { noteName, placeWords } from "./roll/words.js";
