"""verovio: its timemap, in which repeats are not played out. What it plays otherwise than written is taken out of the
text first: grace notes, arpeggios, ornaments, dynamics.
"""

import multiprocessing
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import verovio
from _abc_text import plain, tunes
from _common import Head, Piece, piece, serve

verovio.enableLog(verovio.LOG_OFF)
FORMATS = {".krn": "humdrum", ".abc": "abc", ".mei": "mei"}
STEPS_OF = (0, 2, 4, 5, 7, 9, 11)
ALTERATIONS = {"s": 1, "f": -1, "n": 0, "ss": 2, "x": 2, "ff": -2, "ts": 3, "tf": -3}
PLAYED_OTHERWISE = (
    r"<note\b(?:(?!</note>).)*?<grace.*?</note>",
    r"<arpeggiate[^>]*/>",
    r"<(ornaments|articulations)>.*?</\1>",
    r"<(direction|harmony)\b.*?</\1>",
)


def read(path: Path) -> list[Piece | None]:
    kind = FORMATS.get(path.suffix.lower(), "xml")
    if kind == "abc":
        return [apart(plain(tune)) for tune in tunes(path)]
    text = musicxml(path) if kind == "xml" else path.read_bytes().decode("utf-8", "replace")
    return [of_text(without_grace_notes(text) if kind == "humdrum" else text, kind)]


def apart(tune: str) -> Piece | None:
    """A tune read by a process of its own: some tunes end it, and keys hold on from one tune to the next."""
    mine, its = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: its.send(of_text(tune, "abc")))
    child.start()
    its.close()
    try:
        return mine.recv()
    except EOFError:
        return None
    finally:
        child.join()


def of_text(text: str, kind: str) -> Piece | None:
    toolkit = verovio.toolkit()
    toolkit.setOptions({"inputFrom": kind, "breaks": "none", "expandNever": True})
    return piece(heads(toolkit)) if toolkit.loadData(text) else None


def heads(toolkit: Any) -> Iterator[Head]:
    """Of the score that is loaded. A tie counts if it leads to a note that starts where the first ends."""
    begun: dict[str, Any] = {}
    spans: dict[str, tuple[Any, Any]] = {}
    for event in toolkit.renderToTimemap({"includeMeasures": False, "includeRests": False}):
        for name in event.get("off", ()):
            if name in begun:
                spans[name] = begun.pop(name), event["qstamp"]
        begun |= dict.fromkeys(event.get("on", ()), event["qstamp"])
    mei = toolkit.getMEI()
    ties = dict(_ties(mei))
    follows = {a: b for a, b in ties.items() if {a, b} <= spans.keys() and abs(spans[b][0] - spans[a][1]) < 1e-3}
    joined = set(follows.values())
    pitches = dict(_pitches(mei))
    for name, (onset, end) in spans.items():
        if name in pitches and name not in joined and end > onset:
            last = name
            while last in follows:
                last = follows[last]
            yield Head(onset, spans[last][1], pitches[name])


def _pitches(mei: str) -> Iterator[tuple[str, int]]:
    """Name and MIDI pitch of each note that is no grace or cue note. The toolkit's own answers search the whole score
    for each note.
    """
    for head, inside in re.findall(r"<note\b([^>]*?)(?:/>|>(.*?)</note>)", mei, re.DOTALL):
        said = dict(re.findall(r'([\w:.]+)="([^"]*)"', head))
        accidental = re.search(r'accid(?:\.ges)?="(\w+)"', head + inside)
        if "grace" not in said and said.get("cue") != "true" and "pname" in said:
            octave = int(said.get("oct.ges", said["oct"]))
            alteration = ALTERATIONS.get(accidental[1], 0) if accidental else 0
            yield said["xml:id"], 12 * (octave + 1) + STEPS_OF["cdefgab".index(said["pname"])] + alteration


def _ties(mei: str) -> Iterator[tuple[str, str]]:
    for tie in re.findall(r"<tie [^>]*>", mei):
        start, end = re.search(r'startid="#([^"]*)"', tie), re.search(r'endid="#([^"]*)"', tie)
        if start and end:
            yield start[1], end[1]


def musicxml(path: Path) -> str:
    """The text of a score, unpacked."""
    data = path.read_bytes()
    if path.suffix.lower() == ".mxl":
        with zipfile.ZipFile(path) as archive:
            container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
            data = archive.read(container.find(".//{*}rootfile").get("full-path"))
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    for pattern in PLAYED_OTHERWISE:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    return text


def without_grace_notes(text: str) -> str:
    """Kern without its grace notes, and without the lines that had nothing else."""
    lines = []
    for line in text.split("\n"):
        fields = line.rstrip("\r").split("\t")
        if line and line[0] not in "!*=":
            graceless = ["." if "q" in field and re.search("[a-gA-Gr]", field) else field for field in fields]
            if graceless != fields and set(graceless) == {"."}:
                continue
            fields = graceless
        lines.append("\t".join(fields))
    return "\n".join(lines)


serve(f"verovio {version('verovio')}", read)
