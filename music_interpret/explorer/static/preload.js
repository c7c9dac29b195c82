// Loaded first and by itself: asks at once for all modules of the page that the address names, which the browser would
// else find one import after the other. tests/explorer/test_pages.py holds the lists against the imports.

const ROLL = [
  "pianoroll",
  "roll/card",
  "roll/colours",
  "roll/drawing",
  "roll/elements",
  "roll/geometry",
  "roll/keyboard",
  "roll/player",
  "roll/roll",
  "roll/style",
  "roll/tip",
  "roll/words",
];
const OVERVIEW = [
  "pages/overview",
  "charts",
  "filters",
  "numbers",
  "ownfiles",
  "roll/colours",
  "roll/words",
  "scatter",
  "table",
];
const FEATURE = ["pages/feature", "charts", "examples", "naming", "own", ...ROLL];
export const MODULES = {
  overview: OVERVIEW,
  feature: FEATURE,
  song: ["pages/song", "song/note", "song/picker", "song/sound", "song/strips", "charts", ...ROLL],
  yours: ["pages/yours"],
  compare: ["pages/compare", ...FEATURE],
};

for (const name of new Set(MODULES[location.pathname.split("/")[1] || "overview"])) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = `/static/${name}.js`;
  document.head.append(link);
}
