import csv
import json
import subprocess
import sys

import pytest

from music_interpret.compare import Point, line_of, table, to_png
from music_interpret.files import read_json, write_json

SMALL = ("--d_sae", 64, "--epochs", 3, "--batch_size", 64)


@pytest.fixture
def runs(many_songs, command):
    """Three evaluated runs of two architectures, the first with controls."""
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 1).code == 0
    names = ("sod", "ape", "--series_name", "s", "--layers", 1, *SMALL)
    assert command("train", *names, "--experiment_name", "t", "--architecture", "topk", "--k", 4, 12).code == 0
    assert command("train", *names, "--experiment_name", "r", "--architecture", "relu").code == 0
    found = ["s/t-k12", "s/t-k4", "s/r"]
    for number, run in enumerate(found):
        assert command("evaluate", run, *(() if number == 0 else ("--no-controls",))).code == 0
    return found


def test_runs_are_told_in_order_and_drawn(runs, command, many_songs):
    result = command("compare", *runs, runs[0])
    assert result.code == 0, result
    folder = many_songs / "reports/comparison"
    points = json.loads((folder / "comparison.json").read_text())
    assert [point["architecture"] for point in points] == ["relu", "topk", "topk"]
    assert points[1]["l0"] < points[2]["l0"]
    evaluation = read_json(many_songs / "reports/s/r/layer_001/evaluation.json")
    assert points[0]["fvu"] == evaluation["rows"]["sae"]["quality"]["fvu"]
    assert points[0]["over_clean"] == evaluation["rows"]["sae"]["losses"]["over_clean"]["total"]
    rows = list(csv.DictReader((folder / "comparison.csv").open()))
    assert [float(row["l0"]) for row in rows] == [point["l0"] for point in points]
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    lines = result.out.splitlines()
    assert len(lines) == 1 + 3 + 2 and f"{points[0]['fvu']:.3f}" in lines[1]


def test_the_folder_can_be_chosen(runs, command, tmp_path):
    assert command("compare", runs[0], "--output", tmp_path / "here").code == 0
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert names == {"comparison.json", "comparison.csv", "comparison.png"}


def test_the_same_runs_give_the_same_bytes(runs, command, tmp_path):
    for name in ("a", "b"):
        assert command("compare", *runs, "--output", tmp_path / name).code == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def change(run, home, **changes):
    path = next((home / "reports" / run).glob("*/evaluation.json"))
    write_json(path, read_json(path) | changes)


def test_what_cannot_be_compared_is_refused(runs, command, many_songs):
    assert "unknown run 's/x'" in command("compare", *runs, "s/x").refused()
    change("s/r", many_songs, split="valid")
    assert "the valid split, not on the test split" in command("compare", *runs).refused()
    activations = read_json(many_songs / "reports/s/r/layer_001/evaluation.json")["activations"]
    change("s/r", many_songs, split="test", activations=activations | {"codes_sha256": "0"})
    assert "other songs than" in command("compare", *runs).refused()
    change("s/r", many_songs, sae_sha256="0")
    assert "was made from another autoencoder (sae_sha256 differs)" in command("compare", *runs).refused()
    change("s/r", many_songs, format=0)
    assert "has format 0; expected format 1" in command("compare", *runs).refused()
    (many_songs / "reports/s/r/layer_001/evaluation.json").unlink()
    refusal = command("compare", *runs).refused()
    assert "no evaluation in " in refusal and "run: music-interpret evaluate" in refusal
    assert not (many_songs / "reports/comparison").exists()


POINT = Point(
    run="r",
    architecture="topk",
    token_baseline=False,
    model="m ape",
    layer=5,
    d_sae=2048,
    l0=32.0,
    fvu=0.2,
    over_clean=0.3,
    recovered_mean=0.98,
    recovered_zero=None,
    kl=0.3,
    dead=0.0,
    mean_ablation=15.0,
)


def test_lines_keep_apart_what_differs():
    others = [{"token_baseline": True}, {"layer": 3}, {"d_sae": 4096}, {"architecture": "relu"}, {"model": "m rpe"}]
    points = [POINT] + [POINT._replace(**change) for change in others]
    assert len({line_of(point) for point in points}) == 6
    assert line_of(POINT._replace(l0=9.0, run="s")) == line_of(POINT)
    text = table(points)
    assert "topk + token baseline" in text and "–" in text
    assert to_png(points, [POINT], "test").startswith(b"\x89PNG")


def test_a_run_whose_variance_is_0_has_no_fvu(runs, command, many_songs):
    """NaN when it was measured, null in `evaluation.json`, a dash in the table."""
    path = many_songs / "reports/s/r/layer_001/evaluation.json"
    evaluation = read_json(path)
    evaluation["rows"]["sae"]["quality"]["fvu"] = float("nan")
    write_json(path, evaluation)
    assert evaluation != read_json(path)
    result = command("compare", *runs)
    assert result.code == 0 and " – " in result.out.splitlines()[1], result
    folder = many_songs / "reports/comparison"
    assert [point["fvu"] is None for point in read_json(folder / "comparison.json")] == [True, False, False]
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_a_single_run_without_latents_can_be_drawn():
    assert to_png([POINT._replace(l0=1.0, mean_ablation=0.0)], [], "test")


def test_compare_does_not_wait_for_torch(runs, many_songs):
    code = f"import sys; from music_interpret import cli; assert cli.run('compare', {runs}, '') == 0"
    code += "; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
