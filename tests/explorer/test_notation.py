import numpy as np

from music_interpret.explorer.notation import Notation, notations_of, spelling_of
from music_interpret.music.dataset import Dataset
from music_interpret.music.songs import Songs


def test_notes_are_spelled_as_the_data_set_says_and_estimated_where_it_does_not(tmp_path):
    """The model reads one note fewer, in another duration and program."""
    for folder in ("notes", "spellings"):
        (tmp_path / folder).mkdir()
    notes = np.array([[0, 0, 60, 12, 0], [0, 0, 70, 12, 3], [1, 0, 61, 12, 0], [9, 0, 62, 12, 0]])
    for name in ("a", "b"):
        np.save(tmp_path / f"notes/{name}.npy", notes)
    np.save(tmp_path / "spellings/a.npy", np.array([12, 10, -5, -10], np.int8))
    dataset = Dataset(tmp_path, 12, ["a", "b"], ["train", "train"])
    read = notes[:3].copy()
    read[:, 3:] = 6, 1
    songs = Songs.of([read, read], 12, names=["a", "b"])
    estimated = spelling_of(songs, [None, None])
    known = [notations_of(dataset)(name) for name in songs.names]
    assert known[1] is None and isinstance(known[0], Notation)
    assert spelling_of(songs, known).tolist() == [12, 10, -5, *estimated[3:].tolist()]
    assert estimated[:3].tolist() == estimated[3:].tolist()
