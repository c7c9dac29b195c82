// The run in numbers, with plain words on each, and its latents' worth beside the controls'.

import { bar } from "./charts.js";
import { h } from "./dom.js";
import { help } from "./help.js";
import { fixed, percent, whole } from "./words.js";

const ARCHITECTURES = {
  topk: "TopK",
  batchtopk: "BatchTopK",
  jumprelu: "JumpReLU",
  relu: "ReLU",
  gated: "gated",
  matryoshka: "Matryoshka",
};
const CONTROLS = {
  sae: "this autoencoder",
  neurons: "raw neurons",
  context_neurons: "neurons less the token baseline",
  pca: "principal components",
  untrained: "untrained autoencoder",
  reinitialised: "re-initialised model",
};

export function runInNumbers(run) {
  const what = `${whole(run.d_sae)} latents of a ${ARCHITECTURES[run.architecture] ?? run.architecture} autoencoder`;
  const where = `on what layer ${run.layer} of the model computes for ${whole(run.n_tokens)} tokens of ${whole(run.n_songs)} songs`;
  return h(
    "section",
    { class: "run", "aria-labelledby": "run-title" },
    h(
      "div",
      { class: "run-words" },
      h("h1", { id: "run-title", tabindex: "-1" }, run.run),
      h(
        "p",
        { class: "lead" },
        `${what}${run.token_baseline && run.token_baseline !== "none" ? " with a token baseline" : ""}, ${where} (${run.dataset}).`,
      ),
    ),
    h(
      "dl",
      { class: "numbers" },
      figures(run).map(([key, title, value, more]) =>
        h("div", {}, h("dt", {}, title, help(key, title)), h("dd", {}, value, more && h("small", {}, more))),
      ),
    ),
    run.set_level ? worth(run) : null,
    (run.notices ?? []).map((notice) => h("p", { class: "notice" }, commanded(notice))),
  );
}

/** A command at the end of a sentence is set as one. */
function commanded(text) {
  const at = text.indexOf("music-interpret ");
  return at < 0 ? text : [text.slice(0, at), h("code", {}, text.slice(at))];
}

function figures(run) {
  const [split, held] = run.held_out?.test ? ["test", run.held_out.test] : ["valid", run.held_out?.valid];
  const on = held ? `${split} songs` : null;
  const found = [
    ["l0", "On per token (L0)", held ? fixed(held.l0, held.l0 >= 10 ? 0 : 1) : "–", on],
    ["fvu", "Variance lost (FVU)", held ? percent(held.fvu) : "–", on],
    [
      "recovered",
      "Ability kept",
      run.losses ? percent(run.losses.recovered_mean) : "–",
      run.losses ? `${run.losses.split} songs` : "not measured",
    ],
    [
      "losses",
      "Cost to the model",
      run.losses ? `${fixed(run.losses.over_clean, 3)}` : "–",
      run.losses ? "nats per token" : "not measured",
    ],
    ["dead", "Dead", percent(1 - run.n_live / run.d_sae), `${whole(run.d_sae - run.n_live)} latents`],
    [
      "named",
      "Named",
      run.labelled ? percent(run.n_named / Math.max(run.n_live, 1)) : "–",
      run.labelled ? `${whole(run.n_named)} latents` : "not labelled",
    ],
  ];
  return found;
}

const COLUMNS = [
  ["named", "Named", "named"],
  ["named_context", "… for more than the token", "named_context"],
  ["coverage", "Concepts found", "coverage"],
  ["coverage_context", "… in context", "context"],
  ["beyond_identity", "… better than the token", "beyond_identity"],
  ["monosemanticity", "True of the strongest", "monosemanticity"],
];

function worth(run) {
  const most = Object.fromEntries(
    COLUMNS.map(([key]) => [key, Math.max(...run.set_level.map((row) => row[key] ?? 0), 0.0001)]),
  );
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, h("span", { class: "out-of-sight" }, "What")),
    COLUMNS.map(([, title, key]) => h("th", { scope: "col", class: "number" }, title, help(key, title))),
  );
  const rows = run.set_level.map((row) =>
    h(
      "tr",
      { class: row.what === "sae" ? "mine" : null },
      h("th", { scope: "row" }, CONTROLS[row.what] ?? row.what.replaceAll("_", " ")),
      COLUMNS.map(([key]) =>
        h(
          "td",
          { class: "number" },
          percent(row[key]),
          run.set_level.length > 1 ? bar(row[key] ?? 0, most[key]) : null,
        ),
      ),
    ),
  );
  const alone = run.set_level.length === 1;
  return h(
    "details",
    { class: "worth", open: !alone },
    h("summary", {}, h("h2", {}, alone ? "What the names are worth" : "What the names are worth, beside controls")),
    h(
      "div",
      { class: "wide", tabindex: "0", role: "region", "aria-label": "Names and concepts found, beside controls" },
      h("table", {}, h("thead", {}, head), h("tbody", {}, rows)),
    ),
    alone
      ? h(
          "p",
          { class: "muted small" },
          "No controls were labelled with this run. What directions without an autoencoder reach by the same test is told after: ",
          h("code", {}, `music-interpret label ${run.run} --controls`),
        )
      : null,
  );
}
