"""Opening a data set: what is refused, and how songs without lists are split."""

import hashlib
import shutil
from pathlib import Path

import pytest

from music_interpret.errors import InputError
from music_interpret.music.dataset import JOURNAL, MANIFEST, hash_split, open_dataset

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


def test_songs_without_lists_are_split_by_the_hash_of_their_names() -> None:
    """80/10/10 from the lowest hash to the highest, so that a song stays where it is whatever is added."""
    names = sorted(map(str, range(40_000)), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    splits = [hash_split(name) for name in names]
    assert [split for i, split in enumerate(splits) if i == 0 or split != splits[i - 1]] == ["train", "valid", "test"]
    for split, share in (("train", 0.8), ("valid", 0.1), ("test", 0.1)):
        assert splits.count(split) / len(names) == pytest.approx(share, abs=0.005)
