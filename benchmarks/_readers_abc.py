"""Read ABC tunes with several readers and compare the notes, tune by tune.

python3 benchmarks/_readers_abc.py FOLDER_OR_FILE … [--every N] [--show N] [--readers ours,abc2midi,…]

Prints, per reader, on how many tunes it has the notes that at least two programs agree on, how often it agrees with
ours, and its processor seconds per 1,000 tunes (child processes too); then the tunes where ours differs from what the
others agree on. Notes are (onset, pitch, duration) in steps of 1/12 quarter note, with ties joined, from the first
note's beat on.

Readers: ours; music21, a whole file at a time; verovio; and abc2midi, as symusic runs the one in its wheel, with the
`L:` that the metre implies written into each tune ("symusic"), or the installed one with options against broken rhythm
of its own ("abc2midi"): one program, of one voice. Of these two, 5.02 (in symusic 0.6.0) joins a note with one of
another pitch by a tie, which 4.84 does not. The last three play repeats, grace notes and decorations, which are
therefore taken out of the text first.
"""

import argparse
import base64
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from music_interpret.music.formats.abc import book as abc
from music_interpret.music.formats.written import BrokenPiece, WrittenScore

Notes = tuple[tuple[int, int, int], ...]
STEPS = 12
FIELD = re.compile(r"\s*[A-Za-z]:(?![|:])|%")
PROGRAM = {"ours": "ours", "music21": "music21", "verovio": "verovio", "symusic": "abcmidi", "abc2midi": "abcmidi"}


def tunes(path: Path) -> list[str]:
    """The tunes of a file, each with its own fields only."""
    blocks = re.split(r"\n[ \t]*\n", path.read_bytes().decode("latin-1").replace("\r\n", "\n").replace("\r", "\n"))
    return [part for block in blocks for part in re.split(r"(?m)^(?=X:)", block) if part.startswith("X:")]


def plain(tune: str) -> str:
    """A tune without what changes how notes are played: repeats, grace notes, decorations, chord symbols."""
    lines = []
    in_body = False
    for line in tune.split("\n"):
        if in_body and not FIELD.match(line):
            line = re.sub(r"\"[^\"]*\"|\{[^}]*\}|![^!\s|\[\]]*!", "", line)
            fields = re.findall(r"\[[A-Za-z]:[^\]]*\]", line)
            line = re.sub(r"\[[A-Za-z]:[^\]]*\]", "\0", line)
            line = re.sub(r"(?<=[:|\]])\[?\d+([,-]\d+)*|\[\d+([,-]\d+)*|[H-Wh-w~.]", "", line)
            line = re.sub(
                r"(?:\[(?=[|\]:])|[:|])+\]?", lambda bar: "|" if re.search(r"\||::", bar[0]) else bar[0], line
            )
            line = re.sub(r"\|[\s|]*\|", "|", line)
            for field in fields:
                line = line.replace("\0", field, 1)
        in_body |= line.startswith("K:")
        if not line.startswith(("P:", "R:")):
            lines.append(line)
    return "\n".join(lines) + "\n"


def steps(rows: Sequence[tuple[Fraction | float, Fraction | float, int]]) -> Notes:
    """Notes of rows (onset, end, pitch) in quarter notes."""
    snapped = sorted({(round(a * STEPS), p, max(1, round(b * STEPS) - round(a * STEPS))) for a, b, p in rows})
    first = snapped[0][0] // STEPS * STEPS if snapped else 0
    return tuple((onset - first, pitch, duration) for onset, pitch, duration in snapped)


def ours(score: WrittenScore | BrokenPiece) -> Notes | None:
    """Notes of a score, its ties joined."""
    if isinstance(score, BrokenPiece):
        return None
    drums = {number for number, instrument in enumerate(score.instruments) if instrument.drums}
    joined: list[list[int]] = []
    waiting: dict[tuple[int, int, int], list[int]] = {}
    rows = np.asarray(score.notes, np.int64).reshape(-1, 8)
    for onset, end, pitch, _, part, instrument, on, back in rows[np.lexsort((rows[:, 2], rows[:, 0]))].tolist():
        note = waiting.pop((part, pitch, onset), None) if back else None
        if note is None:
            note = [onset, end, pitch]
            if instrument not in drums:
                joined.append(note)
        note[1] = end
        if on:
            waiting[part, pitch, end] = note
    return steps([(Fraction(a, score.ticks), Fraction(b, score.ticks), pitch) for a, b, pitch in joined])


def by_ours(path: Path) -> list[Notes | None]:
    """Every tune of a file, by this project's reader."""
    return [ours(score) for score in abc.read(path)]


def by_music21(path: Path) -> list[Notes | None]:
    """Every tune of a file, by music21's own book splitting; a bad tune loses the file."""
    from music21 import converter, harmony, stream

    parsed = converter.parse(path.resolve(), format="abc", forceSource=True)
    read: list[Notes | None] = []
    for work in parsed.scores if isinstance(parsed, stream.Opus) else [parsed]:
        rows = []
        for part in list(work.parts) or [work]:
            tied: dict[tuple[int, Fraction], list] = {}
            for element in part.flatten().notes:
                if element.duration.isGrace or isinstance(element, harmony.ChordSymbol):
                    continue
                onset = Fraction(element.offset).limit_denominator(10080)
                end = onset + Fraction(element.quarterLength).limit_denominator(10080)
                for note in element.notes if element.isChord else (element,):
                    row = tied.pop((note.pitch.midi, onset), None)
                    if row is None:
                        rows.append(row := [onset, end, note.pitch.midi])
                    row[1] = end
                    if note.tie and note.tie.type != "stop":
                        tied[note.pitch.midi, end] = row
        read.append(steps([(a, b, p) for a, b, p in rows]))
    return read


def _midi_notes(midi: Any, late: int = 0) -> Notes:
    """Notes of a symusic score whose onsets are so many ticks late; abc2midi's are by one."""
    quarter = midi.ticks_per_quarter
    notes = [note for track in midi.tracks if not track.is_drum for note in track.notes]
    return steps([((n.time - late) / quarter, (n.time + n.duration) / quarter, n.pitch) for n in notes])


def by_verovio(path: Path) -> list[Notes | None]:
    """Every tune of a file, by verovio, each in a process of its own: some end it."""
    import symusic
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setInputFrom("abc")

    def answer(tune: str, pipe: Any) -> None:
        pipe.send_bytes(base64.b64decode(toolkit.renderToMIDI()) if toolkit.loadData(plain(tune)) else b"")

    read: list[Notes | None] = []
    for tune in tunes(path):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=answer, args=(tune, theirs))
        child.start()
        theirs.close()
        try:
            midi = ours.recv_bytes()
        except EOFError:
            midi = b""
        child.join()
        read.append(_midi_notes(symusic.Score.from_midi(midi)) if midi else None)
    return read


def by_symusic(path: Path) -> list[Notes | None]:
    """Every tune of a file, by the abc2midi that symusic runs, as it runs it."""
    import symusic

    read: list[Notes | None] = []
    for tune in tunes(path):
        text = plain(tune)
        if not re.search(r"(?m)^L:", text.split("\nK:")[0]):
            metre = re.search(r"(?m)^M:\s*(\d+)/(\d+)", text)
            short = metre and int(metre[1]) / int(metre[2]) < 0.75
            text = text.replace("\nK:", f"\nL:1/{16 if short else 8}\nK:", 1)
        try:
            read.append(_midi_notes(symusic.Score.from_abc(text), 1))
        except RuntimeError:
            read.append(None)
    return read


def by_abc2midi(path: Path) -> list[Notes | None]:
    """Every tune of a file, by abc2midi: 3:1 for broken rhythm, no grace notes, dynamics or chords of its own."""
    import symusic

    own = shutil.which("abc2midi") or str(Path(symusic.__file__).parent / "bin" / "abc2midi")
    read: list[Notes | None] = []
    with tempfile.TemporaryDirectory() as folder:
        for tune in tunes(path):
            source, out = Path(folder, "tune.abc"), Path(folder, "tune.mid")
            source.write_text(re.sub("X:.*", "X:1", plain(tune), count=1), encoding="utf-8")
            out.unlink(missing_ok=True)
            command = [own, str(source), "1", "-o", str(out), "-RS", "-NGRA", "-NFNP", "-NGUI"]
            subprocess.run(command, capture_output=True, timeout=60)
            read.append(_midi_notes(symusic.Score(out), 1) if out.is_file() else None)
    return read


READERS: dict[str, Callable[[Path], list[Notes | None]]] = {
    "ours": by_ours,
    "music21": by_music21,
    "verovio": by_verovio,
    "symusic": by_symusic,
    "abc2midi": by_abc2midi,
}


def read_by(name: str, path: Path, n_tunes: int, seconds: Counter[str]) -> list[Notes | None]:
    """Every tune of a file by a reader, all None if it loses the file or counts other tunes; adds what it took."""
    start = sum(os.times()[:4])
    try:
        read = READERS[name](path)
    except Exception as error:  # whatever a library raises costs it the file
        print(f"{name}: {path.name}: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
        read = []
    seconds[name] += sum(os.times()[:4]) - start
    return read if len(read) == n_tunes else [None] * n_tunes


def agreed(result: dict[str, Notes | None]) -> Notes | None:
    """The notes of a tune that most programs have, if at least two do."""
    programs: dict[str, set[Notes]] = {}
    for name, notes in result.items():
        programs.setdefault(PROGRAM[name], set()).update([] if notes is None else [notes])
    votes = Counter(notes for found in programs.values() for notes in found).most_common(1)
    return votes[0][0] if votes and votes[0][1] > 1 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="read every Nth file only")
    parser.add_argument("--show", type=int, default=20, help="at most so many tunes where ours differs")
    parser.add_argument("--readers", default=",".join(READERS))
    options = parser.parse_args()
    names = options.readers.split(",")
    files = [path for given in options.paths for path in ([given] if given.is_file() else sorted(given.glob("*.abc")))]
    seconds: Counter[str] = Counter()
    right: Counter[str] = Counter()
    same: Counter[str] = Counter()
    n_tunes = n_agreed = 0
    differ = []
    for path in files[:: options.every]:
        n = len(tunes(path))
        read = {name: read_by(name, path, n, seconds) for name in names}
        n_tunes += n
        for index in range(n):
            result = {name: read[name][index] for name in names}
            expected = agreed(result)
            n_agreed += expected is not None
            right.update(name for name in names if expected is not None and result[name] == expected)
            same.update(name for name in names if result[name] is not None and result[name] == result["ours"])
            if expected is None or result["ours"] != expected:
                differ.append(f"{path.name} tune {index + 1}: {'ours differs' if expected else 'no two agree'}")
    print(f"{n_tunes} tunes of {len(files[:: options.every])} files; two programs agree on {n_agreed}")
    for name in names:
        print(
            f"{name:10} {right[name]:6} of {n_agreed} right, as ours {same[name]:6}, "
            f"{1000 * seconds[name] / max(n_tunes, 1):8.2f} s per 1,000 tunes"
        )
    print(*differ[: options.show], sep="\n")


if __name__ == "__main__":
    main()
