import pytest

from music_interpret import paths
from music_interpret.errors import InputError


def test_home_is_the_working_directory_or_the_environments(monkeypatch, tmp_path):
    monkeypatch.delenv("MUSIC_INTERPRET_HOME", raising=False)
    assert str(paths.home()) == "."
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(tmp_path))
    assert paths.home() == tmp_path


def test_both_published_layouts_are_found(home):
    assert paths.dataset_folder("sod") == home / "data/base/sod"
    (home / "data/base/sod").rename(home / "data/base/sod_notes")
    assert paths.dataset_folder("sod") == home / "data/base/sod_notes"
    with pytest.raises(InputError, match="unknown dataset 'lmd' in .*there are: sod$"):
        paths.dataset_folder("lmd")


def test_any_folder_under_the_models_is_a_repr(home):
    (home / "models/sod/my-own").mkdir()
    assert paths.model_folder("sod", "my-own") == home / "models/sod/my-own"


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\\b"])
def test_runs_stay_under_the_reports(home, name):
    with pytest.raises(InputError, match="expected a folder name"):
        paths.run_folder("s", name, "layer_003")
    with pytest.raises(InputError, match="--series_name"):
        paths.run_folder(name, "e", "layer_003")


def test_layers_sort_as_text():
    assert [paths.layer_name(n) for n in (0, 7, 12, 123)] == ["layer_000", "layer_007", "layer_012", "layer_123"]
