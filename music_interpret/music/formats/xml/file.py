"""The text of a MusicXML file: compressed (.mxl) or not, in any encoding that it declares.

A compressed file is a ZIP archive whose META-INF/container.xml names the score (MusicXML 4.0, "Compressed .MXL files").
Nothing is fetched for a document type, and a file that declares entities is refused: a score has no use for them.
"""

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from music_interpret.music.formats.written import BrokenScore

DECLARED_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""First bytes that give an encoding away."""


def score_text(path: Path, root: str = "") -> str:
    """Text of the score in a file.

    Args:
        path: of the file; whether it is an archive is seen by its first bytes, whatever its suffix.
        root: how the name of the score in an archive ends, where its container does not say.
    """
    data = path.read_bytes()
    if not data.strip():
        raise BrokenScore("the file is empty")
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                data = archive.read(_score_name(archive, (root,) if root else (".musicxml", ".xml")))
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
            raise BrokenScore(f"the archive cannot be unpacked ({error})") from None
    return _decoded(data)


def elements(text: str) -> Iterator[Element]:
    """Every element of a document when it is complete; a caller clears those that it is done with."""
    if "<!ENTITY" in text:
        raise BrokenScore("it declares entities; expected a score without")
    try:
        for _, element in ElementTree.iterparse(io.StringIO(text)):
            yield element
    except ElementTree.ParseError as error:
        raise BrokenScore(f"it is not well-formed XML ({error})") from None


def _score_name(archive: zipfile.ZipFile, suffixes: tuple[str, ...]) -> str:
    """Name of the score inside an archive: as the container says, else the first file that could be it."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        try:
            for element in elements(_decoded(archive.read("META-INF/container.xml"))):
                named = element.get("full-path", "").replace("\\", "/").removeprefix("./")
                if element.tag.rpartition("}")[2] == "rootfile" and named in names and named.lower().endswith(suffixes):
                    return named
        except BrokenScore:
            pass  # a container that cannot be read says no more than one that is not there
    for name in names:
        if name.lower().endswith(suffixes) and not name.startswith(("META-INF/", "__MACOSX/")):
            return name
    raise BrokenScore(f"the archive holds no score; expected a file named {' or '.join(f'*{s}' for s in suffixes)}")


def _decoded(data: bytes) -> str:
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), None)
    if encoding is None:
        declared = DECLARED_ENCODING.match(data[:400])
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        return data.decode(encoding).lstrip()
    except (LookupError, UnicodeDecodeError):
        return data.decode("latin-1").lstrip()
