"""The stages on a CUDA device give what they give on the CPU. Left out where there is none (see conftest.py)."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from music_interpret.activations.store import open_set
from music_interpret.runs.run import open_run

pytestmark = pytest.mark.gpu
RUN = ("sod", "ape", "--series_name", "s", "--experiment_name", "e", "--layers", 3)
SMALL = ("--d_sae", 128, "--batch_size", 64, "--epochs", 60, "--device", "cuda")


def rows_of(home):
    activations = open_set(home / "data/activations/sod_ape_residual")
    return activations.layer(3).read(0, activations.n_tokens).astype(np.float32)


def test_extraction_is_that_of_the_cpu(many_songs, command):
    assert command("extract", "sod", "ape", "--layers", 3, "--device", "cpu").code == 0
    on_cpu = rows_of(many_songs)
    for precision, tolerance in (("float32", 5e-3), ("bfloat16", 1e-1)):
        words = ("--device", "cuda", "--precision", precision, "--overwrite")
        assert command("extract", "sod", "ape", "--layers", 3, *words).code == 0
        np.testing.assert_allclose(rows_of(many_songs), on_cpu, atol=tolerance)


def test_training_resuming_and_indexing(many_songs, command):
    assert command("extract", "sod", "ape", "--layers", 3).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 3).code == 0
    assert command("train", *RUN, *SMALL).code == 0
    run = many_songs / "reports/s/e/layer_003"
    assert json.loads((run / "held_out.json").read_text())["test"]["fvu"] < 0.6
    assert load_file(run / "sae/sae_weights.safetensors")["W_enc"].shape == (64, 128)
    assert command("index", "s/e", "--device", "cuda").code == 0
    on_gpu = open_run("s/e").index.statistics.max.copy()
    assert command("index", "s/e", "--device", "cpu").code == 0
    np.testing.assert_allclose(on_gpu, open_run("s/e").index.statistics.max, atol=1e-2)
