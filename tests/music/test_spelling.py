import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.music.dataset import Dataset
from music_interpret.music.spelling import (
    HIGHEST,
    LOWEST,
    fifths_name,
    name_fifths,
    read_spelling,
    spelled_name,
)

NOTES = np.array([[0, 0, 60, 12, 0], [1, 0, 70, 12, 0]])


@given(st.integers(LOWEST, HIGHEST))
def test_names_and_numbers_are_one_to_one(fifths):
    name = fifths_name(fifths)
    assert name_fifths(name) == fifths
    assert name_fifths(name.replace("♯", "#").replace("♭", "b")) == fifths
    assert ("CDEFGAB".index(name[0]) * 2 - (name[0] in "FGAB") + name.count("♯") - name.count("♭")) % 12 == (
        fifths * 7
    ) % 12


def test_octaves_are_those_of_the_letter():
    assert [spelled_name(60, 12), spelled_name(60, 0), spelled_name(60, -12)] == ["B♯3", "C4", "D♭♭4"]
    assert [spelled_name(59, -7), spelled_name(59, 5), spelled_name(0, 0)] == ["C♭4", "B3", "C-1"]


@pytest.mark.parametrize("name", ["", "H", "b", "C♯♭", "Bb4", "C natural"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InputError, match="expected a letter and its accidentals"):
        name_fifths(name)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.array([0], np.int8), r"has shape \(1,\); expected \(2,\)"),
        (np.array([0, -2]), "has dtype int64; expected int8"),
        (np.array([0, 34], np.int8), "row 1 is 34; expected -22 to 26"),
        (np.array([0, -3], np.int8), r"row 1 is -3 \(E♭\); expected a name of MIDI pitch 70"),
    ],
)
def test_a_spelling_that_is_not_of_the_notes_is_refused(tmp_path, stored, message):
    np.save(tmp_path / "a.npy", stored)
    with pytest.raises(InputError, match=message):
        read_spelling(tmp_path / "a.npy", NOTES)


def test_a_file_that_is_no_array_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="is not a readable spelling file"):
        read_spelling(tmp_path / "a.npy", NOTES)


def test_a_data_set_says_what_its_source_says_and_estimates_the_rest(tmp_path):
    for folder in ("notes/x", "spellings/x"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("x/a", "x/b.1"):
        np.save(tmp_path / f"notes/{name}.npy", NOTES)
    np.save(tmp_path / "spellings/x/a.npy", np.array([12, 10], np.int8))
    dataset = Dataset(tmp_path, 12, ["x/a", "x/b.1"], ["train", "train"])
    assert dataset.known_spelling("x/a").tolist() == [12, 10] == dataset.spelling("x/a").tolist()
    assert dataset.known_spelling("x/b.1") is None
    assert dataset.spelling("x/b.1").tolist() == [0, -2]
