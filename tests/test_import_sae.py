import json
import re
import shutil

import pytest
import torch
from conftest import tree
from sae_cases import assert_same, case
from safetensors.torch import load_file

from music_interpret.activations.store import open_set
from music_interpret.files import read_json
from music_interpret.runs.run import open_run
from music_interpret.sae import foreign
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.token_baseline import TokenBaseline

WHERE = ("--dataset_name", "sod", "--data_repr", "ape", "--series_name", "s", "--experiment_name", "e", "--layer", 1)
RUN = "reports/s/e/layer_001"
FORMATS = ("sae_lens", "dictionary_learning", "sparsify")


@pytest.fixture
def extracted(home, command):
    """A home with the activations of layer 1, 64 dimensions wide."""
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    return home


def foreign_folder(folder, wanted, **settings):
    autoencoder = case("topk", d_in=64, d_sae=96, **settings).autoencoder
    foreign.export(autoencoder, wanted, folder)
    return autoencoder


@pytest.mark.parametrize("wanted", FORMATS)
def test_an_imported_autoencoder_is_a_run(extracted, command, tmp_path, wanted):
    before = foreign_folder(tmp_path / "theirs", wanted)
    outcome = command("import", tmp_path / "theirs", *WHERE)
    assert outcome.code == 0 and f"topk autoencoder from {wanted}, 64 dimensions, 96 latents → " in outcome.out
    run = extracted / RUN
    assert_same(SparseAutoencoder.load(run), before)
    args = read_json(run / "training_args.json")
    assert args["imported"]["format"] == wanted and len(args["imported"]["weights_sha256"]) == 64
    assert args["arguments"]["layer"] == 1
    assert open_run("s/e").activations.d_model == 64
    assert str(tmp_path) not in (run / "training_args.json").read_text() + (run / "sae" / "cfg.json").read_text()


def test_the_former_name_of_sae_lens_still_works(extracted, command, tmp_path):
    before = foreign_folder(tmp_path / "theirs", "sae_lens")
    assert command("import", tmp_path / "theirs", *WHERE, "--format", "saelens").code == 0
    assert_same(SparseAutoencoder.load(extracted / RUN), before)


def test_it_is_indexed_and_read_like_any_other(extracted, command, tmp_path):
    foreign_folder(tmp_path / "theirs", "dictionary_learning")
    assert command("import", tmp_path / "theirs" / "ae.pt", *WHERE, "--format", "dictionary_learning").code == 0
    assert command("index", "s/e", "--device", "cpu").code == 0
    assert "of 96 latents fire; by max:" in command("features", "s/e").out


def test_a_token_baseline_comes_along(extracted, command, tmp_path):
    autoencoder = foreign_folder(tmp_path / "theirs", "sparsify")
    sizes = open_set(extracted / "data/activations/sod_ape_residual").scheme.sizes
    autoencoder.baseline = TokenBaseline(torch.randn(sum(sizes), 64), sizes)
    foreign.export(autoencoder, "sparsify", tmp_path / "theirs")
    assert command("import", tmp_path / "theirs", *WHERE).code == 0
    assert_same(SparseAutoencoder.load(extracted / RUN), autoencoder)


def test_a_run_is_written_over_only_on_request(extracted, command, tmp_path):
    foreign_folder(tmp_path / "first", "sparsify")
    second = foreign_folder(tmp_path / "second", "sae_lens", seed=1)
    assert command("import", tmp_path / "first", *WHERE).code == 0
    before = tree(extracted)
    assert (
        "layer_001 exists; --overwrite replaces it, or take another name"
        in command("import", tmp_path / "second", *WHERE).refused()
    )
    assert tree(extracted) == before
    assert command("import", tmp_path / "second", *WHERE, "--overwrite").code == 0
    assert_same(SparseAutoencoder.load(extracted / RUN), second)


CASES = {
    "no such path": (lambda f: shutil.rmtree(f), (), "missing .*theirs; expected the folder of a saved autoencoder"),
    "nothing saved there": (
        lambda f: (f / "ae.pt").unlink(),
        (),
        "theirs holds no saved autoencoder; expected a folder w",
    ),
    "another format": (lambda f: None, ("--format", "sparsify"), "expected a folder with sae.safetensors .sparsify."),
    "unknown format": (lambda f: None, ("--format", "onnx"), "invalid choice: 'onnx'"),
    "another width": (
        lambda f: foreign.export(case("gated").autoencoder, "dictionary_learning", f),
        (),
        "ae.pt takes 48 dimensions; the activations in .*sod_ape_residual/layer_001 have 64",
    ),
    "another encoding's baseline": (
        lambda f: foreign_folder(f, "dictionary_learning", context=True),
        (),
        r"token baseline alongside .*ae.pt has \(5, 9, 4, 7, 6, 3\) values per field; those of .* are ",
    ),
    "a layer that was not extracted": (lambda f: None, ("--layer", 3), "layer 3 is not there"),
    "no activations": (lambda f: None, ("--data_repr", "npe"), "no activations in .*sod_npe_residual"),
    "a series outside": (lambda f: None, ("--series_name", "../s"), "--series_name is '../s'; expected a folder name"),
    "no address": (None, (), "'hf://theirs' is no address on the Hub"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_one_line_and_nothing_is_written(extracted, command, tmp_path, name):
    spoil, words, message = CASES[name]
    foreign_folder(tmp_path / "theirs", "dictionary_learning")
    path = tmp_path / "theirs"
    if spoil is None:
        path = "hf://theirs"
    else:
        spoil(path)
    before = tree(extracted)
    line = command("import", path, *WHERE, *words).refused()
    assert re.search(message, line), line
    assert tree(extracted) == before


def test_its_weights_are_those_of_the_file(extracted, command, tmp_path):
    before = foreign_folder(tmp_path / "theirs", "sparsify")
    assert command("import", tmp_path / "theirs", *WHERE).code == 0
    tensors = load_file(extracted / RUN / "sae" / "sae_weights.safetensors")
    assert torch.equal(tensors["b_enc"], before.weights["b_enc"])
    assert json.loads((extracted / RUN / "sae" / "cfg.json").read_text())["k"] == before.k
