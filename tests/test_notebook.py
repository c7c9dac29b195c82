"""The notebook runs from top to bottom on a run of its own, and is committed with the plots of a real one."""

import json
import os
from pathlib import Path

import pytest

from music_interpret.activation_extraction import ExtractionConfig, extract
from music_interpret.preprocess import PreprocessConfig, preprocess
from music_interpret.train import TrainConfig, train

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "feature_exploration.ipynb"


@pytest.fixture
def trained(many_songs: Path) -> Path:
    """A home with a run `demo/sae` of a small autoencoder on the golden songs; the notebook makes its index."""
    extract(ExtractionConfig(dataset_name="sod", data_repr="ape", layers=(3,)))
    preprocess(PreprocessConfig(dataset_name="sod", data_repr="ape", layers=(3,)))
    settings = {"d_sae": 64, "batch_size": 256, "epochs": 5, "window_tokens": 1000}
    names = {"dataset_name": "sod", "data_repr": "ape", "series_name": "demo", "experiment_name": "sae"}
    train(TrainConfig(**names, **settings, layers=(3,)))
    return many_songs


def texts(cells) -> str:
    """What code cells printed."""
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def test_runs_from_top_to_bottom(trained, monkeypatch):
    """Started in notebooks/ with no MUSIC_INTERPRET_HOME, as from a checkout, it finds the run above it."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("matplotlib")
    pytest.importorskip("anywidget")
    (trained / "notebooks").mkdir()
    monkeypatch.delenv("MUSIC_INTERPRET_HOME")
    monkeypatch.setenv("MUSIC_INTERPRET_RUN", "demo/sae")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("IPYTHONDIR", str(trained / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(trained / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", resources=where).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printed = texts(code)
    assert "layer 3 → 64 latents" in printed and "of 40 songs" in printed
    assert "valid songs: L0" in printed and " 0 tokens have another L0" in printed
    assert ">>> " in printed
    plots = [o for cell in code for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(plots) == 4
    assert "music-interpret label demo/sae" in printed
    cards = [
        o["data"]
        for cell in code
        for o in cell.outputs
        if "application/vnd.jupyter.widget-view+json" in o.get("data", {})
    ]
    assert len(cards) == 2 and all(card["text/plain"] for card in cards)


def test_is_committed_with_the_outputs_of_a_real_run():
    assert NOTEBOOK.stat().st_size < 300_000
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 4
    assert str(Path.home()) not in NOTEBOOK.read_text(encoding="utf-8")
