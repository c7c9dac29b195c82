"""Concepts of the user's own: the documentation's example, what a file may hold, and what is told when it fails."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from music.concepts.causality import assert_causal, assert_songs_apart

from music_interpret.errors import InputError
from music_interpret.music.concepts.concept import Tokens, concept
from music_interpret.music.concepts.own import computed, load_concepts
from music_interpret.music.songs import Songs
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

PAGE = Path(__file__).parents[3] / "docs" / "concepts.md"
EXAMPLES = re.findall(r"```python title=\"my_concepts.py\"\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
HEAD = "import numpy as np\nfrom music_interpret.music.concepts.concept import concept\n"
with np.load(Path(__file__).parents[2] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = list(archive.values())
EMPTY = np.zeros((0, 5), np.int64)


def write(folder: Path, text: str) -> Path:
    path = folder / "my_concepts.py"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, taken: set[str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        load_concepts(path, taken or set())
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def test_the_documentations_first_example(tmp_path: Path) -> None:
    """It is short, does what the page says of it, and is honest about what it looks at."""
    first = EXAMPLES[0]
    assert len(first.strip().splitlines()) <= 14
    (highest,) = load_concepts(write(tmp_path, first), {"pitch"})
    assert (highest.name, highest.group, highest.leakage, highest.many) == ("highest note so far", "own", "past", False)
    assert highest.definition.startswith("No note before it in the song is as high")
    assert_causal([replace(highest, compute=lambda songs: computed(highest, songs))], REAL)
    songs = Songs.of([*REAL, EMPTY], 12)
    pitches = [notes[:, 2].tolist() for notes in REAL]
    theirs = [0 if pitch > max(song[:i], default=-1) else -1 for song in pitches for i, pitch in enumerate(song)]
    assert computed(highest, songs).tolist() == theirs
    assert not list(tmp_path.glob("__pycache__"))


def test_the_documentations_second_example(tmp_path: Path) -> None:
    """Parallel fifths with the bass: on two chords written wrong, two written right, and causal on real songs."""
    (parallel,) = load_concepts(write(tmp_path, EXAMPLES[1]), set())
    assert parallel.many and parallel.values == ("fifth", "octave")
    assert_causal([parallel], REAL)
    assert_songs_apart([parallel], [*REAL, EMPTY])

    def found(*chords: list[int]) -> list[str]:
        rows = [[beat, 0, pitch, 12, 0] for beat, chord in enumerate(chords) for pitch in chord]
        return [parallel.values[v] if v >= 0 else "" for v in computed(parallel, Songs.of([np.array(rows)], 12))]

    assert found([48, 55], [50, 57]) == ["", "", "", "fifth"]
    assert found([48, 67], [50, 69], [52, 71]) == ["", "", "", "fifth", "", "fifth"]
    assert found([48, 60], [50, 62]) == ["", "", "", "octave"]
    assert found([48, 55], [48, 55]) == [""] * 4
    assert found([48, 55], [50, 59]) == [""] * 4


def test_what_counts_as_a_files_concept(tmp_path: Path) -> None:
    """Variables, lists and tuples; each once, and none that is only imported."""
    text = HEAD + "from music_interpret.music.concepts.token import pitch, duration\n"
    text += "a = concept('a')(lambda songs: songs.pitch > 60)\nagain = a\n"
    text += "many = [concept(f'above {p}')(lambda songs, p=p: songs.pitch > p) for p in (40, 50)]\n"
    text += "builds = (concept('b', values=pitch.values)(lambda songs: pitch(songs)),)\nnumber = 3\n"
    found = load_concepts(write(tmp_path, text), {"pitch", "duration"})
    assert [one.name for one in found] == ["a", "above 40", "above 50", "b"]
    songs = Songs.of(REAL[:2], 12)
    assert computed(found[2], songs).tolist() == np.where(songs.pitch > 50, 0, -1).tolist()
    assert computed(found[3], songs).tolist() == songs.pitch.tolist()


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    for name in ("a", "b"):
        path = write(tmp_path, HEAD + f"x = concept('{name}')(len)")
        assert [one.name for one in load_concepts(path, set())] == [name]


def test_dataclasses_work_in_a_file(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + HEAD
    text += "@dataclass\nclass Range:\n    low: int\n\nx = concept('x')(lambda songs: songs.pitch > Range(3).low)\n"
    assert len(load_concepts(write(tmp_path, text), set())) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "FILE makes no concept; expected functions decorated with @concept(...), see docs/concepts.md"),
        (HEAD + "def broken(:\n", "FILE, line 3: SyntaxError: invalid syntax"),
        (
            "if True:\n\tx = 1\n        y = 2\n",
            "FILE, line 3: TabError: inconsistent use of tabs and spaces",
        ),
        (
            HEAD + "\nx = np.arange(3).nope\n",
            "FILE, line 4: AttributeError: 'numpy.ndarray' object has no",
        ),
        (
            "import no_such_module_at_all\n",
            "FILE, line 1: ModuleNotFoundError: No module named 'no_such",
        ),
        ("raise SystemExit(3)\n", "FILE, line 1: SystemExit: 3"),
        ("raise ValueError('two\\nlines')\n", "FILE, line 1: ValueError: two lines"),
        ("raise ValueError\n", "FILE, line 1: ValueError"),
        (
            HEAD + "x = concept('x', leakage='none')(len)\n",
            "FILE, line 3: ValueError: concept 'x' has leakage 'none'",
        ),
        (
            HEAD + "x, y = (concept('x')(len) for _ in 'ab')\n",
            "FILE makes two concepts of the name 'x'",
        ),
        (
            HEAD + "x = concept('pitch')(len)\n",
            "FILE: there already is a concept of the name 'pitch'",
        ),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    assert refused(write(tmp_path, text), {"pitch"}).startswith(said)


def test_no_file_no_text(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.py") == "missing concept file FILE"
    assert refused(tmp_path).startswith("concept file FILE cannot be read (Is a directory)")
    binary = tmp_path / "binary.py"
    binary.write_bytes(b"\x00\x01\xff")
    assert refused(binary).startswith("FILE")


def test_one_song_at_a_time() -> None:
    """A function for one song sees each that has notes alone, with its name and metre."""
    seen = []

    @concept("x")
    def rank(songs: Songs) -> np.ndarray:
        seen.append((songs.names, songs.n_songs, songs.metres.numerator.tolist()))
        return songs.pitch == songs.pitch.max()

    songs = Songs.of([REAL[0], EMPTY, REAL[1]], 12, names=["a", "b", "c"], metres={"a": [[0, 3, 4]], "c": [[0, 7, 8]]})
    found = computed(rank, songs)
    assert seen == [(("a",), 1, [3]), (("c",), 1, [7])]
    assert found.tolist() == [0 if p == song[:, 2].max() else -1 for song in (REAL[0], REAL[1]) for p in song[:, 2]]
    assert len(computed(rank, Songs.of([], 12))) == len(computed(rank, Songs.of([EMPTY], 12))) == 0
    assert computed(rank, songs).dtype == np.int16


def test_tokens_one_song_at_a_time() -> None:
    encoding = MMTScheme.from_json(mmt_encoding(), "x")
    codes = [encoding.encode(notes) for notes in REAL[:3]]
    all_codes, places = np.concatenate(codes), np.concatenate([np.arange(len(song)) for song in codes])
    tokens = Tokens(all_codes, places, encoding.kind(all_codes), encoding.programs(all_codes))

    @concept("last", of="token")
    def last(tokens: Tokens) -> np.ndarray:
        return tokens.place == len(tokens.tokens) - 1

    assert (
        np.flatnonzero(computed(last, tokens) == 0).tolist() == (np.cumsum([len(song) for song in codes]) - 1).tolist()
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "songs.pitch / nothing",
            r"concept 'x' failed( in song 'a')? \(FILE, line 3\): NameError: name 'nothing'",
        ),
        (
            "np.ones(2, bool)",
            r"concept 'x' gave shape \(2,\); expected \(\d+,\), one value for each note",
        ),
        ("songs.pitch", r"concept 'x' gave \d+; expected -1 \(none\) to 0"),
        ("[1] / 0", r"concept 'x' failed( in song 'a')? \(FILE, line 3\): TypeError: "),
        (
            "int('one\\ntwo')",
            r"concept 'x' failed.*: ValueError: invalid literal for int",
        ),
        ("np.zeros(3)[songs.pitch]", r"concept 'x' failed.*line 3\): IndexError: index"),
    ],
)
@pytest.mark.parametrize("many", [True, False])
def test_a_function_that_fails_is_named(tmp_path: Path, body: str, said: str, many: bool) -> None:
    path = write(tmp_path, HEAD + f"x = concept('x', many={many})(lambda songs: {body})\n")
    (broken,) = load_concepts(path, set())
    with pytest.raises(InputError) as caught:
        computed(broken, Songs.of([EMPTY, REAL[0]], 12, names=["empty", "a"]))
    message = str(caught.value).replace(str(path), "FILE")
    assert re.match(said, message) and "\n" not in message, message
    assert caught.value.__cause__ is not None
    assert ("in song 'a'" in message) == (not many)


def test_faults_of_this_package_are_not_the_users() -> None:
    def broken(songs: Songs) -> np.ndarray:
        raise IndexError("ours")

    broken.__module__ = "music_interpret.music.concepts.key"
    with pytest.raises(IndexError, match="ours"):
        computed(concept("x", many=True)(broken), Songs.of(REAL[:1], 12))
    with pytest.raises(KeyboardInterrupt):
        computed(concept("y", many=True)(interrupted), Songs.of(REAL[:1], 12))


def interrupted(songs: Songs) -> np.ndarray:
    raise KeyboardInterrupt
