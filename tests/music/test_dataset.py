"""Opening a data set: what is refused, and how songs without lists are split."""

import hashlib
import shutil
from pathlib import Path

import pytest

from music_interpret.errors import InputError
from music_interpret.music.dataset import JOURNAL, MANIFEST, hash_split, open_dataset
from music_interpret.music.duplicate_groups import DUPLICATES, Duplicate, separated, write_duplicates

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


def test_near_duplicates_are_in_the_split_of_the_first_name(tmp_path: Path) -> None:
    folder = tmp_path / "sod"
    notes = next((GOLDEN / "notes").glob("*.npy"))
    (folder / "notes").mkdir(parents=True)
    shutil.copy(GOLDEN / "notes" / "encoding.json", folder / "notes")
    names = sorted(f"song {number}" for number in range(60))
    for name in names:
        shutil.copy(notes, folder / "notes" / f"{name}.npy")
    alone = dict(zip(names, open_dataset(folder).splits, strict=True))
    assert alone == {name: hash_split(name) for name in names} and len(set(alone.values())) == 3

    groups = {name: names[number // 3 * 3] for number, name in enumerate(names[:30])}
    write_duplicates(folder, [Duplicate(group, name, group, 1.0, 1.0, True) for name, group in groups.items()])
    together = dict(zip(names, open_dataset(folder).splits, strict=True))
    assert together == {name: alone[groups.get(name, name)] for name in names} and together != alone
    assert separated(groups, list(together), list(together.values())) is None

    (folder / "test-names.txt").write_text(f"{names[1]}\n")  # lists decide
    assert open_dataset(folder).splits == ["test"]
    (folder / "test-names.txt").unlink()
    (folder / DUPLICATES).write_text("song\n")
    with pytest.raises(InputError, match=f"{DUPLICATES} starts with 'song'; expected"):
        open_dataset(folder)
