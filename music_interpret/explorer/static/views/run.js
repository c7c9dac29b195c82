// A run in one sentence, and in numbers with plain words on each.

import { h } from "./dom.js";
import { counted, fixed, percent } from "./words.js";

/** @import { Run } from "./shapes" */
/** @import { Help } from "./types" */

/** @type {Record<string, string>} */
const ARCHITECTURES = {
  topk: "TopK",
  batchtopk: "BatchTopK",
  jumprelu: "JumpReLU",
  relu: "ReLU",
  matryoshka: "Matryoshka",
};

/** @param {Run} run */
export function runInWords(run) {
  const what = `${counted(run.d_sae, "latent")} of a ${ARCHITECTURES[run.architecture] ?? run.architecture} autoencoder`;
  const baseline = run.token_baseline && run.token_baseline !== "none" ? " with a token baseline" : "";
  const where = `what ${run.site} of the model computes for ${counted(run.n_tokens, "token")} of ${counted(run.n_songs, "song")}`;
  return `${what}${baseline}, on ${where} (${run.dataset}).`;
}

/** @param {Run} run @param {Help} help */
export function runFigures(run, help) {
  return h(
    "dl",
    { class: "numbers" },
    figuresOf(run).map(([key, title, value, more]) =>
      h("div", {}, h("dt", {}, title, help(key, title)), h("dd", {}, value, more && h("small", {}, more))),
    ),
  );
}

/** Key of the help, title, value and a remark. @param {Run} run @returns {[string, string, string, string | null][]} */
function figuresOf(run) {
  const { losses } = run;
  const split = run.held_out?.test ? "test" : "valid";
  const held = run.held_out?.[split];
  const on = held ? `${split} songs` : null;
  return [
    ["l0", "On per token (L0)", fixed(held?.l0, held && held.l0 >= 10 ? 0 : 1), on],
    ["fvu", "Variance lost (FVU)", percent(held?.fvu), on],
    ["recovered", "Ability kept", percent(losses?.recovered_mean), losses ? `${losses.split} songs` : "not measured"],
    ["losses", "Cost to the model", fixed(losses?.over_clean, 3), losses ? "nats per token" : "not measured"],
    ["dead", "Dead", percent(1 - run.n_live / run.d_sae), counted(run.d_sae - run.n_live, "latent")],
    [
      "named",
      "Named",
      run.labelled ? percent(run.n_named / Math.max(run.n_live, 1)) : "–",
      run.labelled ? counted(run.n_named, "latent") : "not labelled",
    ],
  ];
}
