"""The examples in docstrings are what the functions do. They run in a home with the run `demo/sae`."""

import doctest
import importlib
import pkgutil
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import GOLDEN

import music_interpret

EXPECTED = {
    "open_run",
    "Run.name",
    "load_model",
    "LoadedModel.recorded",
    "LoadedModel.edited",
    "open_set",
    "SiteActivations.read",
    "FeatureIndex.latent",
    "FeatureIndex.top",
    "SparseAutoencoder.encode",
    "SparseAutoencoder.decode",
    "SparseAutoencoder.load",
    "MMTScheme.encode",
    "TokenScheme.decode",
    "TokenScheme.line",
    "examples",
    "pitch_name",
    "fifths_name",
    "name_fifths",
    "spelled_name",
    "spell",
    "searchable",
    "renamed",
    "Site.of_layer",
    "Site.layer",
    "Site.folder",
}


def found() -> dict[str, doctest.DocTest]:
    """Every docstring with an example, by the name of what it belongs to."""
    tests = {}
    for module in pkgutil.walk_packages(music_interpret.__path__, "music_interpret."):
        source = Path(importlib.util.find_spec(module.name).origin)
        if ">>> " not in source.read_text(encoding="utf-8"):
            continue
        for test in doctest.DocTestFinder().find(importlib.import_module(module.name)):
            if test.examples:
                tests[test.name.removeprefix(f"{module.name}.")] = test
    return tests


TESTS = found()


@pytest.fixture
def demo_home(tmp_path, monkeypatch):
    with tarfile.open(GOLDEN.parent / "version_0_1_0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "reports/demo").mkdir()
    (tmp_path / "reports/s/e").rename(tmp_path / "reports/demo/sae")
    shutil.copytree(GOLDEN / "models", tmp_path / "models")
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", TESTS)
def test_an_example_shows_what_happens(name, demo_home, capsys):
    TESTS[name].globs.update(music_interpret=music_interpret)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert runner.run(TESTS[name]).failed == 0, capsys.readouterr().out


def test_the_public_functions_have_examples():
    assert TESTS.keys() >= EXPECTED
