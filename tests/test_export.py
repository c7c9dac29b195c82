import gzip
import json
import re
import sys

import pytest
import torch
from conftest import tree
from sae_cases import KINDS, assert_close, assert_same, case

from music_interpret.files import write_json
from music_interpret.runs.run import Run
from music_interpret.sae import foreign
from music_interpret.sae.raw_input import agreement, estimated_baseline, folded

FORMATS = ("sae_lens", "dictionary_learning", "sparsify")


@pytest.fixture
def run(home):
    """Make a finished run of a kind: what `export` reads of it."""

    def make(kind, **settings):
        folder = home / "reports" / "s" / "e" / "layer_003"
        autoencoder = case(kind, **settings).autoencoder
        autoencoder.save(folder / "sae")
        names = {"dataset_name": "sod", "data_repr": "ape", "series_name": "s", "experiment_name": "e"}
        args = {"arguments": {"layer": 3, **names}, "activations": {}, "activations_folder": "sod_ape_residual"}
        write_json(folder / "training_args.json", args)
        return folder, autoencoder

    return make


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_exported(run, command, kind, wanted):
    folder, before = run(kind)
    outcome = command("export", "s/e", "--format", wanted)
    if wanted == "sparsify" and kind != "topk":
        assert f"sparsify has TopK autoencoders only, this one is {kind}" in outcome.refused()
        assert not (folder / "export").exists()
        return
    assert outcome.code == 0
    assert outcome.out.startswith(f"{kind} autoencoder, 48 dimensions, 160 latents: ")
    assert outcome.out.endswith(f" → {folder / 'export' / wanted}\n")
    assert foreign.find(folder / "export" / wanted)[0] == wanted
    assert_same(foreign.load(folder / "export" / wanted), before)


@pytest.mark.parametrize("wanted", FORMATS)
def test_of_a_context_autoencoder_the_user_is_told(run, command, wanted, tmp_path):
    folder, before = run("topk", context=True)
    outcome = command("export", folder, "--format", wanted, "--output", tmp_path / "out")
    assert "note: it encodes x - baseline(tokens), not x; other libraries do not read token_baseline" in outcome.out
    assert "--raw_input writes an approximation" in outcome.out
    assert (tmp_path / "out" / "token_baseline.safetensors").read_bytes() == (
        folder / "sae" / "token_baseline.safetensors"
    ).read_bytes()
    assert_same(foreign.load(tmp_path / "out"), before)


def test_the_former_name_of_sae_lens_still_works(run, command):
    folder, before = run("topk")
    assert command("export", "s/e", "--format", "saelens").code == 0
    assert_same(foreign.load(folder / "export" / "saelens", "sae_lens"), before)


def test_a_folder_is_written_over_only_on_request(run, command, tmp_path):
    _, before = run("topk")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    words = ("export", "s/e", "--output", tmp_path / "out", "--format")
    assert "out is not empty; --overwrite replaces the autoencoder in it" in command(*words, "sparsify").refused()
    assert command(*words, "sparsify", "--overwrite").code == 0
    assert command(*words, "dictionary_learning", "--overwrite").code == 0
    assert sorted(tree(tmp_path / "out")) == ["ae.pt", "config.json", "mine.txt", "raw_biases.safetensors"]
    assert_same(foreign.load(tmp_path / "out"), before)


CASES = {
    "unknown run": (("nobody/nothing", "--format", "sae_lens"), "unknown run 'nobody/nothing' in .*layer_003"),
    "unknown format": (("s/e", "--format", "onnx"), "invalid choice: 'onnx'"),
    "no format": (("s/e",), "the following arguments are required: --format"),
    "raw input of features": (
        ("s/e", "--format", "neuronpedia", "--raw_input"),
        "--raw_input is given with --format neuronpedia; expected a format of an autoencoder",
    ),
    "raw input without a baseline": (
        ("s/e", "--format", "sae_lens", "--raw_input"),
        "layer_003 has no token baseline, so it takes raw activations; expected no --raw_input",
    ),
    "the run itself": (
        ("s/e", "--format", "sparsify", "--output", "reports/s/e/layer_003/sae", "--overwrite"),
        "reports/s/e/layer_003/sae is the run's own autoencoder; expected another --output",
    ),
    "a file": (
        ("s/e", "--format", "sparsify", "--output", "reports/s/e/layer_003/training_args.json", "--overwrite"),
        "training_args.json is a file; expected a folder for --output",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_one_line_and_nothing_is_written(run, home, command, monkeypatch, name):
    run("topk")
    monkeypatch.chdir(home)
    words, message = CASES[name]
    before = tree(home)
    line = command("export", *words).refused()
    assert re.search(message, line), line
    assert tree(home) == before


def test_an_unfinished_run_is_refused(run, command):
    folder, _ = run("topk")
    (folder / "sae" / "cfg.json").unlink()
    assert "was not finished; go on with" in command("export", "s/e", "--format", "sae_lens").refused()


@pytest.fixture
def indexed_run(many_songs, command):
    """A trained run on layer 3 with its index."""
    for stage, words in (
        ("extract", ()),
        ("preprocess", ()),
        ("train", ("--series_name", "s", "--experiment_name", "e", "--d_sae", 128, "--epochs", 30, "--batch_size", 64)),
    ):
        assert command(stage, "sod", "ape", "--layers", 3, *words).code == 0
    assert command("index", "s/e").code == 0
    return many_songs / "reports/s/e/layer_003"


def test_features_are_exported_for_neuronpedia(indexed_run, command, tmp_path, monkeypatch):
    """Also where only the base packages are installed."""
    for package in ("sklearn", "fastapi", "anywidget", "soundfile"):
        monkeypatch.setitem(sys.modules, package, None)
    outcome = command("export", "s/e", "--format", "neuronpedia")
    folder = indexed_run / "export/neuronpedia/mmt-sod-ape/3-s-e"
    assert outcome.code == 0
    assert re.search(rf"neuronpedia: 128 features, [\d,]+ activations, 0 explanations → {folder}", outcome.out)
    assert (
        "note: the run has no labels, so its features have no explanations; run: music-interpret label" in outcome.out
    )
    lines = gzip.decompress((folder / "features/batch-0.jsonl.gz").read_bytes()).splitlines()
    assert [json.loads(line)["index"] for line in lines] == [str(i) for i in range(128)]
    before = tree(folder)
    assert (
        "3-s-e is not empty; --overwrite replaces what is there of this run"
        in command("export", "s/e", "--format", "neuronpedia").refused()
    )
    (folder / "old.txt").write_text("old")
    assert command("export", "s/e", "--format", "neuronpedia", "--overwrite").code == 0
    assert tree(folder) == before
    # Several runs share one folder; what else lies there stays.
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert command("export", "s/e", "--format", "neuronpedia", "--output", tmp_path / "out").code == 0
    assert tree(tmp_path / "out" / "mmt-sod-ape/3-s-e") == before
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("wanted", FORMATS)
def test_raw_input_takes_x_alone_and_says_what_that_costs(indexed_run, command, wanted):
    run = Run(indexed_run)
    outcome = command("export", "s/e", "--format", wanted, "--raw_input")
    assert outcome.code == 0, outcome.err
    folder = indexed_run / "export" / wanted
    made = foreign.load(folder)
    assert made.baseline is None and not (folder / "token_baseline.safetensors").exists()
    # Fitted on the train songs, measured on the test songs.
    spans = run.activations.songs.spans
    expected = folded(run.sae, estimated_baseline(run.sae, run.rows.rows(spans("train"))))
    x = torch.cat([rows for rows, _ in run.rows.rows(spans("test"))])
    assert_close(made.encode(x), expected.encode(x))
    measured = agreement(run.sae, expected, run.rows.rows(spans("test")))
    assert 0 < measured.firings_kept < 1
    note = made.metadata["raw_input_note"]
    assert f"note: {note}\n" in outcome.out
    assert f"{measured.firings_kept:.0%} of the run's firings are kept" in note
    assert f"FVU {measured.fvu:.3f}, with the token baseline {measured.fvu_with_baseline:.3f}" in note
    assert made.metadata["raw_input_fvu"] == pytest.approx(measured.fvu)
    assert "token_baseline" not in made.metadata and made.metadata["layer"] == 3


def test_neuronpedia_needs_the_index_and_labels_that_fit(indexed_run, command, tmp_path):
    words = ("export", "s/e", "--format", "neuronpedia", "--output")
    (tmp_path / "file").write_text("mine")
    assert "file is a file; expected a folder for --output" in command(*words, tmp_path / "file").refused()
    labels = {"format": 1, "sae_sha256": "another"}
    write_json(indexed_run / "labels/labels.json", labels)
    write_json(indexed_run / "labels/names.json", [])
    assert "was made from another autoencoder (sae_sha256 differs)" in command(*words, tmp_path / "out").refused()
    (indexed_run / "features/index.json").unlink()
    assert "no feature index in" in command(*words, tmp_path / "out").refused()
    assert not (tmp_path / "out").exists()
