"""What came of reading scores: of each file while the work goes on (the journal), and of all of them (the report).

`ingest.jsonl` has a line for what makes the folder, then one for each file read, so that a killed run goes on where it
was. When all is done it gives way to `ingest.json`.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from music_interpret.music.dataset import JOURNAL

SHOWN = 3
"""So many songs or files are named in a line; ingest.json has all."""


class Outcome(NamedTuple):
    """What came of one file. Songs are keys, by their names in the data set."""

    file: str
    """Relative to the source."""
    songs: dict[str, dict[str, Any]] = {}
    """Of each song written: notes (how many), metres, numbers."""
    too_short: dict[str, int] = {}
    """Notes of each song that has fewer than were asked for."""
    silent: dict[str, dict[str, int]] = {}
    """Of each song without a note for an instrument that is kept: the notes that it has, by kind."""
    monophonic: list[str] = []
    """Songs left out because polyphonic ones were asked for."""
    broken: dict[str, str] = {}
    """The file or works in it that could not be read, and why."""
    left_out: dict[str, dict[str, int]] = {}
    """Of each song written: notes of the file that are not in the data set, by kind."""
    miscounted: dict[str, list[int]] = {}
    """Of each song whose notes in the file are more or fewer than were read: both numbers."""


class IngestReport(NamedTuple):
    """What came out of a run. Songs are keys, by the names that they have or would have in the data set."""

    folder: Path
    """The data set."""
    written: int
    """Songs written."""
    notes: int
    """Notes in them."""
    too_short: dict[str, int]
    """Notes of each song left out because it has fewer than `min_notes`."""
    silent: dict[str, dict[str, int]]
    """Of each song left out because it has no note for an instrument that is kept: the notes that it has, by kind."""
    monophonic: list[str]
    """Songs left out because `polyphonic` was asked for."""
    broken: dict[str, str]
    """Files, and works in files, that could not be read, relative to the source, and why."""
    left_out: dict[str, dict[str, int]]
    """Of each song written: notes of the file that are not in the data set, by kind."""
    miscounted: dict[str, list[int]]
    """Of each song whose note heads, searched for in the file, are more or fewer than were read: both numbers."""
    near_duplicates: int
    """Songs that are nearly the same as another one of the data set; `duplicates.csv` says which."""

    def summary(self) -> str:
        """One line: how much came through, and how much did not."""
        left_out = f" ({self.not_written()})" if self.not_written() else ""
        return f"{self.written:,} songs, {self.notes:,} notes → {self.folder / 'notes'}{left_out}"

    def not_written(self) -> str:
        """The songs and files that did not come through, in one line."""
        parts = []
        if self.too_short:
            shown = (f"{name} ({_number(count, 'note')})" for name, count in self.too_short.items())
            parts.append(f"{len(self.too_short):,} too short: {_some(shown, len(self.too_short))}")
        if self.silent:
            shown = (f"{name} holds {only(kinds)}" for name, kinds in self.silent.items())
            parts.append(f"{len(self.silent):,} without notes to keep: {_some(shown, len(self.silent))}")
        if self.monophonic:
            parts.append(f"{len(self.monophonic):,} monophonic")
        if self.broken:
            name, reason = next(iter(self.broken.items()))
            first = "first " if len(self.broken) > 1 else ""
            parts.append(f"{len(self.broken):,} broken: {first}{name}: {reason}")
        return ", ".join(parts)

    def details(self) -> list[str]:
        """Lines on what of the songs that came through was left out or is in doubt."""
        lines = []
        kinds: Counter[str] = Counter()
        songs: Counter[str] = Counter()
        for of_song in self.left_out.values():
            kinds.update(of_song)
            songs.update(of_song.keys())
        if kinds:
            shown = (
                f"{_number(count, 'note')} ({kind}) in {_number(songs[kind], 'song')}"
                for kind, count in kinds.most_common()
            )
            lines.append(f"left out: {', '.join(shown)} (ingest.json has them by song)")
        if self.miscounted:
            shown = (f"{name} has {there:,}, read {read:,}" for name, (there, read) in self.miscounted.items())
            count = len(self.miscounted)
            lines.append(f"in doubt: {_number(count, 'song')} of which not all notes were read: {_some(shown, count)}")
        if self.near_duplicates:
            lines.append(
                f"near-duplicates: {self.near_duplicates:,} songs are nearly the same as others (duplicates.csv)"
            )
        return lines


def only(kinds: Mapping[str, int]) -> str:
    """What a song without notes to keep holds, in words."""
    if not kinds:
        return "no notes"
    return "only " + " and ".join(f"{kind} ({_number(count, 'note')})" for kind, count in kinds.items())


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _some(shown: Iterator[str], count: int) -> str:
    """The first of several, and how many more there are."""
    first = ", ".join(text for text, _ in zip(shown, range(SHOWN), strict=False))
    return first + (f" and {count - SHOWN:,} more" if count > SHOWN else "")


def report_of(folder: Path, outcomes: Sequence[Outcome], near_duplicates: int) -> IngestReport:
    """The report on files' outcomes."""

    def all_of(key: str) -> dict[str, Any]:
        return {name: value for outcome in outcomes for name, value in getattr(outcome, key).items()}

    songs = all_of("songs")
    return IngestReport(
        folder,
        written=len(songs),
        notes=sum(song["notes"] for song in songs.values()),
        too_short=all_of("too_short"),
        silent=all_of("silent"),
        monophonic=[name for outcome in outcomes for name in outcome.monophonic],
        broken=all_of("broken"),
        left_out={name: kinds for name, kinds in all_of("left_out").items() if name in songs},
        miscounted={name: counts for name, counts in all_of("miscounted").items() if name in songs},
        near_duplicates=near_duplicates,
    )


# The journal


def read_journal(path: Path) -> tuple[dict[str, Any] | None, list[Outcome], int]:
    """The first line, the others, and how many bytes of the journal are whole lines; a kill may have cut the last."""
    data = path.read_bytes() if path.is_file() else b""
    whole = data.rfind(b"\n") + 1
    try:
        lines = [json.loads(line) for line in data[:whole].splitlines()]
        return (lines[0] if lines else None), [Outcome(**line) for line in lines[1:]], whole
    except (ValueError, TypeError):  # not ours, or of another version; begin again
        return None, [], 0


@contextlib.contextmanager
def journal(folder: Path, made_by: dict[str, Any]) -> Iterator[tuple[dict[str, Outcome], TextIO]]:
    """The outcomes of an earlier run whose songs are all there, by file, and the journal open for more."""
    path = folder / JOURNAL
    folder.mkdir(parents=True, exist_ok=True)
    _, outcomes, whole = read_journal(path)
    done = {outcome.file: outcome for outcome in outcomes if _is_there(outcome, folder / "notes")}
    with open(path, "a", encoding="utf-8") as file:
        file.truncate(whole)
        if not whole:
            print(json.dumps(made_by), file=file, flush=True)
        yield done, file


def _is_there(outcome: Outcome, notes_folder: Path) -> bool:
    """Whether the songs of a file are written."""
    return all((notes_folder / f"{name}.npy").is_file() for name in outcome.songs)
