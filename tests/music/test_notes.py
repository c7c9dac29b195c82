import numpy as np
import pytest

from music_interpret.errors import InputError
from music_interpret.music.notes import read_notes, validate_notes

GOOD = [[0, 0, 60, 12, 0], [1, 6, 64, 6, 52]]


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        (np.array([0, 0, 60, 12, 0]), r"shape \(5,\); expected \(n_notes, 5\)"),
        (np.zeros((2, 4), int), r"shape \(2, 4\)"),
        (np.array(GOOD, float), "dtype float64; expected an integer type"),
        (np.zeros((0, 5), int), "song x is empty"),
        (np.array([[0, 12, 60, 1, 0]]), "row 0: position is 12; expected 0 to 11"),
        (np.array([*GOOD, [2, 0, 128, 1, 0]]), "row 2: pitch is 128; expected 0 to 127"),
        (np.array([[-1, 0, 60, 1, 0]]), "beat is -1; expected 0 or more"),
        (np.array([[0, 0, 60, -3, 0]]), "duration is -3"),
        (np.array([[0, 0, 60, 1, 128]]), "program is 128"),
    ],
)
def test_wrong_notes_are_named(notes, message):
    with pytest.raises(InputError, match=message):
        validate_notes(notes, "x", 12)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int64])
def test_any_integer_type_will_do(dtype):
    np.testing.assert_array_equal(validate_notes(np.array(GOOD, dtype), "x", 12), GOOD)


def test_csv_and_npy_are_the_same(tmp_path):
    np.save(tmp_path / "a.npy", np.array(GOOD))
    (tmp_path / "a.csv").write_text("beat,position,pitch,duration,program\n0,0,60,12,0\n1,6,64,6,52\n")
    np.testing.assert_array_equal(read_notes(tmp_path / "a.npy", 12), read_notes(tmp_path / "a.csv", 12))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"time,pitch\n0,1\n", "starts with 'time,pitch'"),
        ("a.csv", b"beat,position,pitch,duration,program\n0,0,x,1,0\n", "not a readable note file"),
        ("a.csv", b"beat,position,pitch,duration,program\n", "is empty"),
        ("a.npy", b"no array", "not a readable note file"),
        ("a.npy", b"", "not a readable note file"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_unreadable_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_notes(tmp_path / name, 12)


def test_objects_in_an_array_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match="it holds no array of numbers"):
        read_notes(tmp_path / "a.npy", 12)


def test_several_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array(GOOD))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match="holds several arrays"):
        read_notes(tmp_path / "a.npy", 12)
