// Loaded first and by itself: asks at once for all modules of the page that the address names, which the browser would
// else find one import after the other. tests/explorer/test_pages.py holds the lists against the imports.

const ROLL = [
  "views/pianoroll",
  "views/roll/card",
  "views/roll/colours",
  "views/roll/drawing",
  "views/roll/geometry",
  "views/roll/keyboard",
  "views/roll/legend",
  "views/roll/player",
  "views/roll/roll",
  "views/roll/style",
  "views/roll/tip",
  "views/roll/words",
];
const LATENT = [
  "views/bar",
  "views/examples",
  "views/histogram",
  "views/later",
  "views/name",
  "views/reliability",
  "views/statistics",
  ...ROLL,
];
/** @type {Record<string, string[]>} */
export const MODULES = {
  overview: [
    "pages/overview",
    "filters",
    "numbers",
    "ownfiles",
    "scatter",
    "table",
    "views/bar",
    "views/name",
    "views/reliability",
    "views/run",
  ],
  feature: [
    "pages/feature",
    "own",
    "walk",
    "views/concepts",
    "views/effects",
    "views/fires",
    "views/near",
    "views/scores",
    ...LATENT,
  ],
  song: ["pages/song", "song/adders", "song/note", "song/picker", "song/sound", "song/strips", "views/bar", ...ROLL],
  yours: ["pages/yours"],
  compare: ["pages/compare", "compare/pairs", ...LATENT],
};

for (const name of new Set(MODULES[location.pathname.split("/")[1] || "overview"])) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = `/static/${name}.js`;
  document.head.append(link);
}
