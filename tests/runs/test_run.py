"""One run: every part opens when it is asked for, and only if it was made from what it should have been."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import music_interpret
from music_interpret.errors import InputError
from music_interpret.features.index import FeatureIndex
from music_interpret.runs.run import Run, open_run


@pytest.fixture(scope="module")
def run(labelled_module):
    return open_run("s/e")


def test_its_parts_are_those_of_the_folder(run, labelled_module):
    assert run.title == "s/e/layer_003" and run.folder == labelled_module / "reports/s/e/layer_003"
    assert repr(run) == "<Run s/e/layer_003: topk, 96 latents, layer 3 of sod ape>"
    assert isinstance(run.index, FeatureIndex) and run.index is run.index
    assert run.labelled and run.labels.names == list(run.names.values())
    assert run.evaluation["sae_sha256"] == run.sae_sha256
    assert run.rows.made_from == run.settings.made_from
    assert run.model.sha256 == run.settings.made_from["model_sha256"]
    assert run.neighbours.similar.shape == (96, 10) and run.map.shape == (96, 2)
    latents = run.latents
    assert [row.latent for row in latents] == list(range(96))
    assert [row.density for row in latents] == run.index.statistics.density.tolist()
    assert {row.latent for row in latents if row.name} == {n["latent"] for n in run.labels.names if n["name"]}
    assert all(row.name == run.name(row.latent) for row in latents)


def test_a_run_without_labels_has_no_names(labelled_module):
    run = open_run("s/f")
    assert not run.labelled and not run.names and run.best() == []
    with pytest.raises(InputError, match=r"no labels in .*; run: music-interpret label .*s/f/layer_001$"):
        _ = run.labels
    with pytest.raises(InputError, match=r"no evaluation in .*; run: music-interpret evaluate .*s/f/layer_001$"):
        _ = run.evaluation


def test_what_the_package_offers_is_this(run):
    assert music_interpret.open_run("s/e").sae_sha256 == run.sae_sha256


@pytest.mark.parametrize("latent", [-1, 96, 1.5, "3", True, None])
def test_a_latent_that_is_not_there(run, latent):
    with pytest.raises(InputError, match="is out of range; expected 0 to 95"):
        run.check_latent(latent)


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def other_weights(run):
    path = run / "sae/sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def other_songs(run):
    path = run.parents[3] / "data/activations/sod_ape_residual/songs.csv"
    path.write_text(path.read_text().replace(",train\n", ",valid\n", 1))


@pytest.mark.parametrize(
    ("damage", "part", "message"),
    [
        (other_weights, "index", r"index.json was made from another autoencoder \(sae_sha256 differs\); run again"),
        (other_weights, "labels", r"labels.json was made from another autoencoder \(sae_sha256 differs\); run again"),
        (other_weights, "evaluation", r"evaluation.json was made from another autoencoder \(sae_sha256 differs\)"),
        (other_songs, "rows", r"was made from songs with other names or splits \(songs_sha256 differs\); run .* train"),
        (
            lambda run: change(run.parents[3] / "data/activations/sod_ape_residual/manifest.json", codes_sha256="x"),
            "activations",
            r"was made from other songs \(codes_sha256 differs\); run .* was trained on what is gone",
        ),
        (
            lambda run: shutil.copytree(
                run.parents[3] / "models/sod/npe", run.parents[3] / "models/sod/ape", dirs_exist_ok=True
            ),
            "model",
            "holds another model than run .* was trained on",
        ),
        (
            lambda run: change(run / "features/index.json", format=9),
            "index",
            "has format 9; expected format 1; run aga",
        ),
        (
            lambda run: (run / "features/index.json").unlink(),
            "index",
            "no feature index in .*; run: music-interpret ind",
        ),
    ],
)
def test_what_was_made_from_something_else_is_refused(labelled, damage, part, message):
    run = open_run("s/e")
    damage(run.folder)
    with pytest.raises(InputError, match=message):
        getattr(Run(run.folder), part)


def test_an_unfinished_run_is_refused(labelled):
    (labelled / "reports/s/e/layer_003/sae/cfg.json").unlink()
    with pytest.raises(InputError, match="was not finished; go on with: python3 -m music_interpret.train"):
        open_run("s/e")
    (labelled / "reports/s/f/layer_001/training_args.json").write_text("{}")
    with pytest.raises(InputError, match="training_args.json is damaged .*; train the run again"):
        open_run("s/f")


def test_names_do_not_wait_for_torch(labelled_module):
    code = "import sys, music_interpret\nrun = music_interpret.open_run('s/e')\n_ = run.latents, run.labels, run.names"
    code += "\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ablating_latents_is_subtracting_what_they_add(run):
    """The losses are those of a model whose layer has Σ z W_dec subtracted, and no latent costs nothing."""
    nothing = run.ablate([])
    assert nothing.over_clean["total"] == 0 and nothing.kl["total"] == 0
    live = np.argsort(-run.index.statistics.density)[:3].tolist()
    ablated = run.ablate(live)
    assert ablated.kl["total"] > 0
    songs, losses, n = run.activations.songs, 0.0, 0
    for song in np.flatnonzero(songs.splits == "test").tolist():
        first, length = int(songs.first_token[song]), int(songs.n_tokens[song])
        ids = torch.from_numpy(np.asarray(run.activations.tokens[first : first + length], np.int64))[None]

        def subtract(x, ids=ids):
            z = run.sae.encode(x, ids)
            return x - z[..., live] @ run.sae.W_dec[live]

        with torch.inference_mode(), run.model.edited({run.site: subtract}):
            logits = run.model.module(ids)
        for field, part in enumerate(logits):
            losses += float(torch.nn.functional.cross_entropy(part[0, :-1], ids[0, 1:, field], reduction="sum"))
        n += length - 1
    assert ablated.loss["total"] == pytest.approx(losses / n, rel=1e-4)
    with pytest.raises(InputError, match="latent 96 is out of range"):
        run.ablate([0, 96])
