import contextlib
import json
import signal
import time

import numpy as np
import pytest
import torch
from conftest import spawn, tree
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from music_interpret import files, train
from music_interpret.activations.store import open_set
from music_interpret.sae import topk
from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.topk import select_per_batch
from music_interpret.sae.training_run import TrainingRun

RUN = ("sod", "ape", "--series_name", "s", "--experiment_name", "e", "--layers", 3)
SMALL = ("--d_sae", 128, "--batch_size", 64, "--epochs", 20, "--log_every", 10)
# A sparsity for each architecture at which a small run has something to do.
SPARSITY = {
    name: ("--architecture", name) + (("--k", 8) if "k" in a.knobs else ()) for name, a in ARCHITECTURES.items()
}


@pytest.fixture
def prepared(many_songs, command):
    assert command("extract", "sod", "ape", "--layers", 1, 3).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 1, 3).code == 0
    return many_songs


@pytest.fixture
def folder(prepared):
    return prepared / "reports/s/e/layer_003"


def weights(folder):
    return load_file(folder / "sae/sae_weights.safetensors")


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("context", ["none", "additive"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_is_good_and_whole(prepared, folder, command, architecture, context):
    words = (*SPARSITY[architecture], "--token_baseline", context)
    result = command("train", *RUN, *SMALL, "--epochs", 40, *words)
    assert result.code == 0
    names = {path.name for path in folder.iterdir()} - {".lock", "checkpoints"}
    assert names == {"training_args.json", "metrics.jsonl", "tensorboard", "sae", "held_out.json"}
    held_out = json.loads((folder / "held_out.json").read_text())
    assert held_out["valid"]["fvu"] < 0.6 and held_out["test"]["fvu"] < 0.6
    assert f"FVU {held_out['test']['fvu']:.3f}" in result.out
    args = json.loads((folder / "training_args.json").read_text())
    knob = ARCHITECTURES[architecture].knobs[0]
    assert args["arguments"][knob] == (8 if knob == "k" else 1e-2) and args["arguments"]["layer"] == 3
    assert train.config_of(args["arguments"]).architecture == architecture


@pytest.mark.parametrize("context", ["none", "additive"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_held_out_figures_are_those_of_the_saved_autoencoder(prepared, folder, command, architecture, context):
    """By the definitions, from the saved weights and raw activations."""
    assert command("train", *RUN, *SMALL, *SPARSITY[architecture], "--token_baseline", context).code == 0
    activations = open_set(prepared / "data/activations/sod_ape_residual")
    layer, spans = activations.layer(3), activations.songs.spans("test")
    raw = torch.from_numpy(np.concatenate([layer.read(*run) for run in spans]).astype(np.float32))
    codes = torch.from_numpy(np.concatenate([activations.tokens[start:stop] for start, stop in spans]))
    autoencoder = SparseAutoencoder.load(folder / "sae")
    assert (autoencoder.baseline is None) == (context == "none")
    z = autoencoder.encode(raw, codes)
    error = (autoencoder.decode(z, codes) - raw).double().square().sum()
    variance = (raw.double() - raw.double().mean(0)).square().sum()
    measured = json.loads((folder / "held_out.json").read_text())["test"]
    assert measured["n_tokens"] == len(raw)
    assert measured["fvu"] == pytest.approx(float(error / variance), rel=1e-3)
    assert measured["l0"] == pytest.approx(float((z > 0).sum(1).double().mean()), rel=1e-3)
    assert measured["dead"] == pytest.approx(float((~(z > 0).any(0)).double().mean()), abs=0.02)


def test_metrics_are_logged_for_people_and_for_tensorboard(prepared, folder, command):
    assert command("train", *RUN, *SMALL, "--window_tokens", 500, "--architecture", "relu").code == 0
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(steps) and lines[0]["step"] == 10 and lines[-1]["tokens"] == lines[-1]["step"] * 64
    last = lines[-1]
    wanted = {"loss/total", "loss/mse", "loss/l1", "sparsity/l0", "sparsity/fraction_active", "sparsity/dead"}
    wanted |= {"sparsity/overactive", "quality/fvu", "decoder/mean_cosine", "valid/fvu", "valid/l0", "valid/cosine"}
    assert wanted <= last.keys()
    assert last["loss/total"] == pytest.approx(
        last["loss/mse"] + last["schedule/alpha"] * last["loss/l1"] + last.get("loss/aux", 0)
    )
    assert last["sparsity/fraction_active"] == pytest.approx(last["sparsity/l0"] / 128)
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    assert wanted <= set(board.Tags()["scalars"])
    assert board.Scalars("loss/mse")[-1].value == pytest.approx(last["loss/mse"], rel=1e-6)


def test_the_decoder_has_unit_norm_in_normalised_space(prepared, folder, command):
    assert command("train", *RUN, *SMALL).code == 0
    scale = load_file(prepared / "data/activations/sod_ape_residual/layer_003/normalization.safetensors")["scale"]
    norms = (weights(folder)["W_dec"] * scale).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(128), atol=1e-4, rtol=0)


def test_free_decoder_rows_are_another_training(prepared, folder, command):
    """Saved with rows of norm 1 all the same, in normalised space."""
    saved = {}
    for decoder_norm in ("unit", "free"):
        words = ("--architecture", "relu", "--decoder_norm", decoder_norm, "--overwrite")
        assert command("train", *RUN, *SMALL, *words).code == 0
        saved[decoder_norm] = weights(folder)["W_dec"]
    scale = load_file(prepared / "data/activations/sod_ape_residual/layer_003/normalization.safetensors")["scale"]
    torch.testing.assert_close((saved["free"] * scale).norm(dim=1), torch.ones(128), atol=1e-4, rtol=0)
    assert not torch.allclose(saved["free"], saved["unit"], rtol=1e-2)


def test_several_layers_are_several_runs(prepared, command):
    assert command("train", *RUN[:-1], 1, 3, *SMALL).code == 0
    for layer in (1, 3):
        assert (prepared / f"reports/s/e/layer_00{layer}/sae/cfg.json").is_file()


def test_a_larger_set_than_the_buffer_trains_as_well(prepared, folder, command):
    assert command("train", *RUN, *SMALL, "--epochs", 60, "--buffer_tokens", 2048).code == 0
    assert json.loads((folder / "held_out.json").read_text())["test"]["fvu"] < 0.6


def test_bfloat16_trains_as_well(prepared, folder, command):
    assert command("train", *RUN, *SMALL, "--epochs", 60, "--precision", "bfloat16").code == 0
    assert json.loads((folder / "held_out.json").read_text())["test"]["fvu"] < 0.6


def test_the_reference_preset_is_reachable_and_options_win(prepared, folder, command):
    assert command("train", *RUN, *SMALL, "--preset", "reference", "--lr", 0.002).code == 0
    arguments = json.loads((folder / "training_args.json").read_text())["arguments"]
    assert (arguments["alpha"], arguments["decoder_bias"], arguments["lr"]) == (1e-3, False, 0.002)


@pytest.mark.parametrize(
    ("buffer", "words"),
    [
        (4_000_000, ("--architecture", "relu")),
        (2048, ("--architecture", "batchtopk", "--k", 8, "--token_baseline", "additive", "--window_tokens", 1000)),
        (4_000_000, ("--architecture", "jumprelu", "--k", 8)),
    ],
)
def test_killed_and_resumed_it_ends_with_the_same_weights(prepared, folder, command, buffer, words):
    words = (*RUN, *SMALL, "--checkpoint_every", 25, "--epochs", 100, "--buffer_tokens", buffer, *words)
    assert command("train", *words).code == 0
    undisturbed, log = weights(folder), (folder / "metrics.jsonl").read_text()
    process = spawn(prepared, "train", *words, "--overwrite")
    state = folder / "checkpoints/state.safetensors"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if state.is_file() and not (folder / "sae").exists() and int(load_file(state)["n_done"]) >= 75:
            break
    process.kill()
    process.communicate()
    assert state.is_file() and not (folder / "sae").exists()
    result = command("train", *words, "--resume")
    assert result.code == 0, result
    assert_same_weights(weights(folder), undisturbed)
    assert (folder / "metrics.jsonl").read_text() == log
    assert not state.exists()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_says_how_to_go_on(prepared, folder, command, stop):
    words = (*RUN, *SMALL, "--epochs", 100, "--architecture", "relu")
    assert command("train", *words).code == 0
    undisturbed = weights(folder)
    process = spawn(prepared, "train", *words, "--overwrite")
    deadline = time.monotonic() + 60
    log = folder / "metrics.jsonl"
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):  # the old run's log goes while it is looked at
            if not (folder / "sae").exists() and log.read_text().count("\n") > 3:
                break
    process.send_signal(stop)
    _, err = process.communicate()
    assert process.returncode == 128 + stop and "the same command with --resume goes on" in err
    assert command("train", *words, "--resume").code == 0
    assert_same_weights(weights(folder), undisturbed)


def test_resuming_a_finished_run_changes_nothing(prepared, folder, command):
    assert command("train", *RUN, *SMALL).code == 0
    before = weights(folder)
    result = command("train", *RUN, *SMALL, "--resume")
    assert result.code == 0 and "is finished" in result.out
    assert_same_weights(weights(folder), before)


def test_a_sweep_trains_what_single_runs_train(prepared, command):
    """Two layers with three values of k in one pass over the data: the weights of six runs of their own."""
    words = (*SMALL[:-2], "--log_every", 1000, "--token_baseline", "additive")
    assert command("train", *RUN[:-1], 1, 3, *words, "--k", 4, 8, 16).code == 0
    for layer in (1, 3):
        for k in (4, 8, 16):
            alone = (*RUN[:4], "--experiment_name", f"alone{k}", "--layers", layer)
            assert command("train", *alone, *words, "--k", k).code == 0
            reports = prepared / "reports/s"
            swept = reports / f"e-k{k}/layer_00{layer}"
            assert_same_weights(weights(swept), weights(reports / f"alone{k}/layer_00{layer}"))
            assert json.loads((swept / "training_args.json").read_text())["arguments"]["experiment_name"] == f"e-k{k}"


def test_a_killed_sweep_goes_on_where_each_of_its_runs_is(prepared, command):
    words = (*RUN, *SMALL, "--architecture", "relu", "--alpha", 0.01, 0.1, "--checkpoint_every", 25, "--epochs", 60)
    assert command("train", *words).code == 0
    folders = [prepared / f"reports/s/e-alpha{alpha}/layer_003" for alpha in ("0.01", "0.1")]
    undisturbed = [weights(folder) for folder in folders]
    process = spawn(prepared, "train", *words, "--overwrite")
    states = [folder / "checkpoints/state.safetensors" for folder in folders]
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline and not all(state.is_file() for state in states):
        pass
    process.kill()
    process.communicate()
    states[1].unlink(missing_ok=True)  # as if it had died between the two
    assert command("train", *words, "--resume").code == 0
    for folder, before in zip(folders, undisturbed, strict=True):
        assert_same_weights(weights(folder), before)


def test_one_diverging_run_does_not_stop_the_others(prepared, command):
    words = (*RUN, *SMALL, "--architecture", "relu", "--alpha", 0.01, 1e36, "--epochs", 4, "--checkpoint_every", 5)
    result = command("train", *words)
    assert result.code == 2 and "e-alpha1e+36" in result.err and "the last good checkpoint" in result.err
    assert (prepared / "reports/s/e-alpha0.01/layer_003/sae/cfg.json").is_file()
    assert not (prepared / "reports/s/e-alpha1e+36/layer_003/sae").exists()


def test_a_context_autoencoder_leaves_less_to_say(prepared, folder, command):
    fvu = {}
    for context in ("none", "additive"):
        words = ("--architecture", "topk", "--k", 4, "--overwrite", "--token_baseline", context)
        assert command("train", *RUN, *SMALL, *words).code == 0
        fvu[context] = json.loads((folder / "held_out.json").read_text())["test"]["fvu"]
    assert fvu["additive"] < 0.8 * fvu["none"]


def test_the_decoder_bias_starts_at_the_mean(prepared, folder, command):
    for kind in ("scalar", "zscore"):
        assert command("preprocess", "sod", "ape", "--layers", 3, "--normalization", kind).code == 0
        words = ("--epochs", 1, "--lr", 1e-12, "--overwrite", "--token_baseline", "none")
        assert command("train", *RUN, *SMALL, *words).code == 0
        mean = load_file(prepared / "data/activations/sod_ape_residual/layer_003/normalization.safetensors")["mean"]
        torch.testing.assert_close(weights(folder)["b_dec"], mean.float(), atol=1e-4, rtol=1e-4)


def test_seeds_differ(prepared, folder, command):
    assert command("train", *RUN, *SMALL).code == 0
    first = weights(folder)
    assert command("train", *RUN, *SMALL, "--overwrite").code == 0
    assert_same_weights(weights(folder), first)
    assert command("train", *RUN, *SMALL, "--overwrite", "--seed", 1).code == 0
    assert not torch.equal(weights(folder)["W_enc"], first["W_enc"])


def test_a_diverging_run_stops(prepared, command):
    message = command("train", *RUN, *SMALL, "--lr", 1e30).refused()
    assert "at step 2; a --lr lower than 1e+30" in message and "the last good checkpoint was not reached" in message


def test_runs_are_not_mixed_up(prepared, folder, command):
    assert command("train", *RUN, *SMALL).code == 0
    before = weights(folder)
    assert "exists; --resume goes on with it, --overwrite replaces it" in command("train", *RUN, *SMALL).refused()
    changed = command("train", *RUN, *SMALL, "--k", 1, "--resume").refused()
    assert "was begun with k 32.0; --resume needs the same" in changed
    changed = command("train", *RUN, *SMALL, "--architecture", "gated", "--resume").refused()
    assert "was begun with architecture 'topk'; --resume needs the same" in changed
    assert_same_weights(weights(folder), before)
    other = ("sod", "ape", "--series_name", "s", "--experiment_name", "none", "--layers", 3, "--resume")
    assert "no run to resume" in command("train", *other).refused()


def test_resuming_with_other_options_that_change_no_weight(prepared, folder, command, monkeypatch):
    words = (*RUN, "--d_sae", 128, "--batch_size", 64, "--epochs", 4)
    assert command("train", *words).code == 0
    undisturbed = weights(folder)
    n_done = 0

    def stopped(run, *rest, **options):
        nonlocal n_done
        n_done += 1
        if n_done == 60:
            run.save_checkpoint()
            raise KeyboardInterrupt
        return original(run, *rest, **options)

    original = TrainingRun.step
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "step", stopped)
        assert command("train", *words, "--overwrite").code == 130
    for option in ("--device", "cpu"), ("--buffer_tokens", 5000), ("--window_tokens", 7):
        assert f"was begun with {option[0][2:]} " in command("train", *words, "--resume", *option).refused()
    assert command("train", *words, "--resume", "--log_every", 7, "--checkpoint_every", 9).code == 0
    assert_same_weights(weights(folder), undisturbed)
    arguments = json.loads((folder / "training_args.json").read_text())["arguments"]
    assert (arguments["log_every"], arguments["checkpoint_every"]) == (7, 9)


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka"])
def test_a_k_of_which_nothing_is_left_in_a_batch_is_refused(prepared, folder, command, architecture):
    words = (*RUN, "--d_sae", 32, "--batch_size", 64, "--epochs", 2, "--architecture", architecture)
    refusal = command("train", *words, "--k", 0.005).refused()
    assert "--k is 0.005, no latent in a batch of 64 tokens; expected 0.015625 or more" in refusal
    assert not folder.exists()
    assert command("train", *words, "--k", 0.015625).code == 0
    assert float(weights(folder)["threshold"].min()) > 0


def test_a_threshold_that_nothing_has_reached_is_0(prepared, folder, command, monkeypatch):
    """A batch top-k whose latents never fire, here because none is let through, keeps no threshold of −1."""
    monkeypatch.setattr(topk, "select_per_batch", lambda before, k: select_per_batch(-before.abs(), k))
    words = (
        "--d_sae",
        32,
        "--batch_size",
        64,
        "--epochs",
        1,
        "--architecture",
        "batchtopk",
        "--token_baseline",
        "none",
    )
    assert command("train", *RUN, *words).code == 0
    assert not weights(folder)["threshold"].any()


@pytest.mark.parametrize("split", ["test", "train"])
def test_jumprelu_far_from_its_target_warns(prepared, folder, command, split):
    if split == "train":  # no songs are held out
        songs = prepared / "data/activations/sod_ape_residual/songs.csv"
        songs.write_text(songs.read_text().replace(",test", ",train").replace(",valid", ",train"))
        assert command("preprocess", "sod", "ape", "--layers", 3).code == 0
    words = (*RUN, "--d_sae", 128, "--batch_size", 64, "--architecture", "jumprelu")
    far = command("train", *words, "--k", 4, "--epochs", 1, "--lr", 1e-6)
    assert far.code == 0
    lines = [line for line in far.err.splitlines() if line.startswith("warning: ")]
    assert len(lines) == 1 and f" on {split} songs, --k asked for 4; more --epochs" in lines[0], far.err
    if split == "test":
        held_out = json.loads((folder / "held_out.json").read_text())
        assert held_out["test"]["l0"] > 6 and f"L0 is {held_out['valid']['l0']:.1f} on valid songs" in lines[0]
    near = command("train", *words, "--k", 4, "--epochs", 60, "--overwrite")
    assert near.code == 0 and "warning" not in near.err
    assert "warning" not in command("train", *RUN, *SMALL, "--k", 4, "--epochs", 1, "--overwrite").err


def test_two_processes_on_one_run(prepared, folder, command):
    assert command("train", *RUN, *SMALL).code == 0
    before = tree(folder)
    with files.locked(folder, "this run"):
        refusal = command("train", *RUN, *SMALL, "--overwrite").refused()
    assert "another process is working on this run" in refusal
    assert tree(folder) == before


def test_statistics_of_other_songs_are_refused(prepared, command):
    songs = prepared / "data/activations/sod_ape_residual/songs.csv"
    songs.write_text(songs.read_text().replace(",test", ",valid"))
    message = command("train", *RUN, *SMALL).refused()
    assert "was made from songs with other names or splits (songs_sha256 differs); run again: python3 -m" in message
