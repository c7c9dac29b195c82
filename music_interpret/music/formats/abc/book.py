"""ABC (.abc): books of tunes, in ABC 2.1 and older, as `WrittenScore`s.

Source: the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1), whose sections "§" numbers name, and abc2midi's
directives for programs and channels. A voice is a part. A tune begins with `X:` and ends with an empty line; other
blocks of lines are text, but for a first one that consists of fields, which hold for all tunes (§2.2). A file without
any `X:` has a tune in each block with a `K:`. `abc_tune.py` reads a tune, `abc_voice.py` its notes.
"""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator
from pathlib import Path

from music_interpret.music.formats.abc.tune import FIELD, Tune, read_tune, without_comment
from music_interpret.music.formats.written import BrokenPiece, BrokenScore, WrittenScore

START = re.compile(r"\s*X:(?!\s*[|:\[\]])")
TEXT_BLOCK = re.compile(r"(?:%%|I:)(begin|end)([a-z]+)", re.IGNORECASE)


def read(path: Path) -> list[WrittenScore | BrokenPiece]:
    """The tunes of a file."""
    blocks = list(_blocks(_without_text_blocks(_lines(path.read_bytes()))))
    tunes = [block for block in blocks if START.match(block[0])]
    tunes = tunes or [block for block in blocks if _key_line(block) is not None]
    if not tunes:
        raise BrokenScore("no line begins with X:, so it has no tune" if blocks else "the file is empty")
    header = _file_header(blocks)
    return [_read(_tune(header, block)) for block in tunes]


def _read(tune: Tune) -> WrittenScore | BrokenPiece:
    try:
        return read_tune(tune)
    except BrokenScore as error:
        return BrokenPiece(title=tune.name, reason=str(error))


def _lines(data: bytes) -> list[str]:
    """Lines of a file: UTF-8, with or without byte order mark, or UTF-16 with one, else Latin-1; any line ends."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return re.split(r"\r\n|\r|\n", text)


def _without_text_blocks(lines: list[str]) -> Iterator[str]:
    """Lines outside of `%%begintext` … `%%endtext` and the like; one that never ends is none."""
    marks = [(index, match) for index, line in enumerate(lines) if (match := TEXT_BLOCK.match(line))]
    ends: dict[str, list[int]] = {}
    for index, match in marks:
        if match[1].lower() == "end":
            ends.setdefault(match[2].lower(), []).append(index)
    begins = {index: match[2].lower() for index, match in marks if match[1].lower() == "begin"}
    resume = 0
    for index, line in enumerate(lines):
        if index in begins and index >= resume:
            following = ends.get(begins[index], [])
            place = bisect(following, index)
            resume = following[place] + 1 if place < len(following) else index + 1
        if index >= resume:
            yield line


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines between empty lines; `X:` begins a block, too. Lines that continue a field (+:) are joined to it."""
    block: list[str] = []
    field = 0
    for line in lines:
        if block and (not line.strip() or START.match(line)):
            yield block
            block = []
        if line.startswith("+:") and block:
            block[field] += " " + line[2:]
        elif line.strip():
            if FIELD.match(line):
                field = len(block)
            block.append(line)
            field = min(field, len(block) - 1)
    if block:
        yield block


def _file_header(blocks: list[list[str]]) -> list[str]:
    """Fields that hold for all tunes: the first block that is not only comments, if it has nothing but fields."""
    for block in blocks:
        if all(line.startswith("%") and not line.startswith("%%") for line in block):
            continue
        is_header = all(line.startswith("%") or FIELD.match(line) for line in block) and not START.match(block[0])
        return block if is_header and _key_line(block) is None else []
    return []


def _key_line(block: list[str]) -> int | None:
    """Index of the first `K:`, which ends a tune's header."""
    return next((index for index, line in enumerate(block) if line.lstrip().startswith("K:")), None)


def _tune(file_header: list[str], block: list[str]) -> Tune:
    """A tune's lines; without a key, its music begins with the first line that has a barline and is no field."""
    key = _key_line(block)
    if key is None:
        music = (index for index, line in enumerate(block) if "|" in line and not re.match(r"\s*[A-Za-z+]:|%", line))
        key = next(music, len(block)) - 1
    header = block[: key + 1]
    values = {letter: _first(header, letter) for letter in "XT"}
    name = " ".join([f"X:{values['X']}", values["T"]]).strip()
    return Tune(name, file_header, header, block[key + 1 :])


def _first(header: list[str], letter: str) -> str:
    """Value of the first field of a letter, or an empty string."""
    found = (line.lstrip()[2:] for line in header if line.lstrip().startswith(letter + ":"))
    return without_comment(next(found, "")).strip()
