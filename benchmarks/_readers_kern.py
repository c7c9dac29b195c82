"""Read Humdrum kern files with several readers and compare the notes, file by file.

python3 benchmarks/_readers_kern.py FOLDER_OR_FILE … [--every N] [--show N] [--readers ours,music21,verovio,converter21]

Prints, per reader, how many files it can read, how many of them with the notes that ours has, and its processor
seconds per file; then the files that differ. Notes are (onset, pitch, duration) in steps of 1/12 quarter note with ties
joined, from the first note's beat on.

Readers: ours; music21; converter21, which needs a music21 that it fits (4.0.1: 9.9); verovio's MIDI, with grace notes
taken out of the text first. Of the last only onsets and pitches are compared, within a step, since it spreads arpeggios
and two notes of one pitch cannot be told apart in MIDI.
"""

import argparse
import base64
import signal
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from music_interpret.music.formats.kern import piece as kern
from music_interpret.music.formats.written import WrittenScore
from music_interpret.music.ties import join_ties

Notes = set[tuple[int, int, int]]
STEPS, LIMIT_SECONDS = 12, 240


def of_rows(rows: list[tuple[Any, int, Any]]) -> Notes:
    """Notes of (onset, pitch, end) in quarter notes."""
    if not rows:
        return set()
    first = min(row[0] for row in rows) // 1
    return {(round((onset - first) * STEPS), pitch, max(round((end - onset) * STEPS), 1)) for onset, pitch, end in rows}


def ours(path: Path) -> Notes:
    score = kern.read(path)[0]
    assert isinstance(score, WrittenScore)
    rows = join_ties(np.asarray(score.notes, np.int64).reshape(-1, 8)).tolist()
    return of_rows([(Fraction(r[0], score.ticks), r[2], Fraction(r[1], score.ticks)) for r in rows])


def music21(path: Path) -> Notes:
    """The score of music21, or of converter21 once that is registered with it."""
    from music21 import chord, converter, note

    reader = converter.Converter()
    reader.parseFileNoPickle(path.resolve(), format="humdrum")
    stream = reader.stream
    if stream is None:
        return set()
    score: Any = stream.scores[0] if hasattr(stream, "scores") else stream
    rows = []
    for number, part in enumerate(list(score.parts) or [score]):
        flat = part.flatten()
        for element in flat.getElementsByClass((note.Note, chord.Chord)):
            if element.duration.isGrace:
                continue
            onset = Fraction(flat.elementOffset(element)).limit_denominator(10080)
            end = onset + Fraction(element.quarterLength).limit_denominator(10080)
            for head in element.notes if isinstance(element, chord.Chord) else (element,):
                tie = head.tie.type if head.tie else ""
                on, back = tie in ("start", "continue"), tie in ("stop", "continue")
                rows.append([onset, end, head.pitch.midi, 0, number, 0, on, back])
    ticks = int(np.lcm.reduce([row[i].denominator for row in rows for i in (0, 1)] or [1]))
    in_ticks = np.array([[int(row[0] * ticks), int(row[1] * ticks), *row[2:]] for row in rows], np.int64)
    joined = join_ties(in_ticks.reshape(-1, 8)).tolist()
    return of_rows([(Fraction(r[0], ticks), r[2], Fraction(r[1], ticks)) for r in joined])


def converter21(path: Path) -> Notes:
    import converter21 as library

    library.register()
    return music21(path)


def without_grace_notes(text: str) -> str:
    """Kern without its grace notes, and without the lines that had nothing else."""
    lines = []
    for line in text.split("\n"):
        fields = line.split("\t")
        if line and line[0] not in "!*=":
            fields = ["." if "q" in field and any(c in "abcdefgABCDEFGr" for c in field) else field for field in fields]
            if fields != line.split("\t") and set(fields) == {"."}:
                continue
        lines.append("\t".join(fields))
    return "\n".join(lines)


def verovio(path: Path) -> Notes:
    import symusic
    import verovio as library

    library.enableLog(library.LOG_OFF)
    toolkit = library.toolkit()
    toolkit.setOptions({"inputFrom": "humdrum", "expandNever": True})
    if not toolkit.loadData(without_grace_notes(path.read_bytes().decode("utf-8", "replace"))):
        raise ValueError("refused")
    score: Any = symusic.Score.from_midi(base64.b64decode(toolkit.renderToMIDI()))
    per_quarter = score.ticks_per_quarter
    return of_rows(
        [
            (note.time / per_quarter + 1e-9, note.pitch, note.end / per_quarter)
            for track in score.tracks
            for note in track.notes
        ]
    )


def differing(mine: Notes, theirs: Notes, with_durations: bool) -> int:
    """How many notes one has and the other has not."""
    if with_durations:
        return max(len(mine - theirs), len(theirs - mine))
    near = {(onset + shift, pitch) for onset, pitch, _ in theirs for shift in (-1, 0, 1)}
    return sum((onset, pitch) not in near for onset, pitch, _ in mine)


def timed(reader: Callable[[Path], Notes], path: Path) -> tuple[Notes | None, float]:
    """What a reader makes of a file, None if it fails or takes too long, and its processor seconds."""
    start = time.process_time()
    signal.alarm(LIMIT_SECONDS)
    try:
        return reader(path), time.process_time() - start
    except Exception:
        return None, time.process_time() - start
    finally:
        signal.alarm(0)


def too_long(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take one file of so many")
    parser.add_argument("--show", type=int, default=20, help="so many files that differ")
    parser.add_argument("--readers", default="ours,music21,verovio")
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, too_long)
    files = [file for path in args.paths for file in (sorted(path.rglob("*.krn")) if path.is_dir() else [path])]
    files = files[:: args.every]
    readers: dict[str, Callable[[Path], Notes]] = {
        "ours": ours, "music21": music21, "verovio": verovio, "converter21": converter21
    }  # fmt: skip
    mine = {file: timed(ours, file) for file in files}
    for name in args.readers.split(","):
        found = mine if name == "ours" else {file: timed(readers[name], file) for file in files}
        wrong = {
            file: differing(mine[file][0] or set(), notes, name != "verovio")
            for file, (notes, _) in found.items()
            if notes is not None
        }
        seconds = sum(seconds for _, seconds in found.values()) / max(len(files), 1)
        print(
            f"{name}: {len(wrong)} of {len(files)} files read, {list(wrong.values()).count(0)} as ours, {seconds:.3f} s"
        )
        for file, count in [item for item in wrong.items() if item[1]][: args.show]:
            print(f"    {file}: {count} of {len(mine[file][0] or ())} notes differ")


if __name__ == "__main__":
    main()
