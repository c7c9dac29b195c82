"""Opening a data set: what is refused."""

import shutil
from pathlib import Path

import pytest

from music_interpret.errors import InputError
from music_interpret.music.dataset import JOURNAL, MANIFEST, open_dataset

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "data" / "base" / "sod"


def test_a_data_set_whose_ingest_has_not_finished_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sod"
    shutil.copytree(GOLDEN, folder)
    names = open_dataset(folder).names
    (folder / JOURNAL).write_text("{}\n")
    with pytest.raises(
        InputError, match=f"^the ingest of {folder} has not finished; run the same ingest command again"
    ):
        open_dataset(folder)
    (folder / MANIFEST).write_text("{}\n")  # the journal goes last
    assert open_dataset(folder).names == names
