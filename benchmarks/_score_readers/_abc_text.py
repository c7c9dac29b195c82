"""Tune books for readers that take one tune, and read less of ABC than there is."""

import re
from pathlib import Path

FIELD = re.compile(r"\s*[A-Za-z]:(?![|:])|%")


def tunes(path: Path) -> list[str]:
    """The tunes of a book, each with the book's own header before it."""
    text = path.read_bytes().decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    blocks = [part for block in re.split(r"\n[ \t]*\n", text) for part in re.split(r"(?m)^(?=X:)", block)]
    head = blocks[0] if blocks and re.match("[A-Z]:|%%", blocks[0]) and not blocks[0].startswith("X:") else ""
    fields = [line for line in head.split("\n") if re.match(r"[A-Z]:|%%", line)]
    return [re.sub("\n", "\n" + "".join(f"{f}\n" for f in fields), b, count=1) for b in blocks if b.startswith("X:")]


def plain(tune: str) -> str:
    """A tune without what changes how notes are played: repeats, grace notes, decorations, chord symbols."""
    lines = []
    in_body = False
    for line in tune.split("\n"):
        if in_body and not FIELD.match(line):
            line = _plain_music(line)
        in_body |= line.startswith("K:")
        if not line.startswith(("P:", "R:")):
            lines.append(line)
    return "\n".join(lines) + "\n"


def _plain_music(line: str) -> str:
    line = re.sub(r"\"[^\"]*\"|\{[^}]*\}|![^!\s|\[\]]*!", "", line)
    fields = re.findall(r"\[[A-Za-z]:[^\]]*\]", line)
    line = re.sub(r"\[[A-Za-z]:[^\]]*\]", "\0", line)
    line = re.sub(r"(?<=[:|\]])\[?\d+([,-]\d+)*|\[\d+([,-]\d+)*|[H-Wh-w~.]", "", line)
    line = re.sub(r"(?:\[(?=[|\]:])|[:|])+\]?", lambda bar: "|" if re.search(r"\||::", bar[0]) else bar[0], line)
    line = re.sub(r"\|[\s|]*\|", "|", line)
    for field in fields:
        line = line.replace("\0", field, 1)
    return line


def with_unit_length(tune: str) -> str:
    """A tune whose header says the unit note length that its metre implies (ABC 2.1, 3.1.7)."""
    header = tune.split("\nK:")[0]
    if re.search(r"(?m)^L:", header):
        return tune
    metre = re.search(r"(?m)^M:\s*(\d+)/(\d+)", header)
    unit = 16 if metre and int(metre[1]) / int(metre[2]) < 0.75 else 8
    return tune.replace("\nK:", f"\nL:1/{unit}\nK:", 1)
