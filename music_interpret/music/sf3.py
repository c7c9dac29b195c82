"""SoundFont files (.sf3): a RIFF file with tables of presets, instruments and zones, and samples as Ogg Vorbis.

A preset (a General MIDI program) points to instruments, an instrument to samples; both in zones, each with a key range
and "generators" (numbered settings). An instrument zone's generators are absolute, a preset zone's are added to them.
Source: SoundFont Technical Specification 2.04, sections 4 to 9. SF3 differs in the samples: `start` and `end` of a
sample header are bytes of the sample chunk, loop points are frames of the decoded sample, and bit 4 of the type is set.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError

_BAG = [("gen", "<u2"), ("mod", "<u2")]
_GENERATOR = [("op", "<u2"), ("amount", "<i2")]
_MODULATOR = [("source", "<u2"), ("to", "<u2"), ("amount", "<i2"), ("by", "<u2"), ("transform", "<u2")]
TABLES = {
    "phdr": np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "<u4", 3)]),
    "pbag": np.dtype(_BAG),
    "pmod": np.dtype(_MODULATOR),
    "pgen": np.dtype(_GENERATOR),
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    "ibag": np.dtype(_BAG),
    "imod": np.dtype(_MODULATOR),
    "igen": np.dtype(_GENERATOR),
    "shdr": np.dtype(
        [("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4")]
        + [("rate", "<u4"), ("key", "u1"), ("correction", "i1"), ("link", "<u2"), ("type", "<u2")]
    ),
}
MONO_VORBIS = 0x11
# Generators by their numbers in the specification, section 8.1.2.
FILTER_CUTOFF, FILTER_Q, ENVELOPE_TO_FILTER = 8, 9, 11
ATTACK, HOLD, DECAY, SUSTAIN, RELEASE = 34, 35, 36, 37, 38
INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, ATTENUATION = 41, 43, 44, 48
COARSE_TUNE, FINE_TUNE, SAMPLE, SAMPLE_MODES, SCALE_TUNING, ROOT_KEY = 51, 52, 53, 54, 56, 58
_NOT_ADDED = frozenset((INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, SAMPLE, SAMPLE_MODES, 57, ROOT_KEY))
_DEFAULTS = {FILTER_CUTOFF: 13500, ATTACK: -12000, HOLD: -12000, DECAY: -12000, RELEASE: -12000, SCALE_TUNING: 100}


class SoundFont(NamedTuple):
    """The content of a .sf3 file."""

    info: dict[str, bytes]
    """Name, copyright and so on, by their chunk names."""
    samples: bytes
    """All compressed samples."""
    tables: dict[str, np.ndarray]
    """The nine tables of the presets, each with its terminal record."""


class Zone(NamedTuple):
    """A sample that plays on a range of keys, with its settings."""

    low: int
    """Lowest MIDI note number."""
    high: int
    """Highest one."""
    sample: int
    """Row of the sample headers."""
    loops: bool
    """Whether the sample repeats between its loop points while the note lasts."""
    settings: dict[int, int]
    """Generators: those of instrument and preset added up."""

    def get(self, generator: int) -> int:
        """A setting, or what the specification gives where the file says nothing."""
        return self.settings.get(generator, _DEFAULTS.get(generator, 0))


def read_font(data: bytes, source: str) -> SoundFont:
    """The parts of a .sf3 file; InputError if it is damaged or no such file."""
    try:
        if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
            raise ValueError("it does not start as one")
        chunks: dict[str, bytes] = {}
        info: dict[str, bytes] = {}
        for name, body in _chunks(data[12:]):
            for inner, content in _chunks(body[4:]) if name == "LIST" else ():
                (info if body[:4] == b"INFO" else chunks)[inner] = content
        missing = [name for name in ("smpl", *TABLES) if name not in chunks]
        if missing:
            raise ValueError(f"it has no chunk {missing[0]}")
        tables = {name: np.frombuffer(chunks[name], dtype) for name, dtype in TABLES.items()}
        _check(tables, len(chunks["smpl"]))
        return SoundFont(info, chunks["smpl"], tables)
    except ValueError as error:
        raise InputError(f"{source} is not a readable SF3 soundfont ({error})") from None


def ranges(amount: int) -> tuple[int, int]:
    """Lowest and highest value of a key or velocity range, both inclusive."""
    return amount & 0xFF, amount >> 8 & 0xFF


def zone_rows(tables: dict[str, np.ndarray], kind: str, row: int) -> Iterator[tuple[int, dict[int, int]]]:
    """The zones of a preset (kind "p") or an instrument ("i"): row of the bag, generators as they stand there."""
    owners, bags, generators = tables["phdr" if kind == "p" else "inst"], tables[f"{kind}bag"], tables[f"{kind}gen"]
    for bag in range(owners["bag"][row], owners["bag"][row + 1]):
        rows = generators[bags["gen"][bag] : bags["gen"][bag + 1]]
        yield bag, dict(zip(rows["op"].tolist(), rows["amount"].tolist(), strict=True))


def sounds_at(generators: dict[int, int], velocity: int) -> bool:
    """Whether a zone sounds at a velocity."""
    low, high = ranges(generators.get(VELOCITY_RANGE, 127 << 8))
    return low <= velocity <= high


def preset_zones(font: SoundFont, row: int, velocity: int) -> list[Zone]:
    """All zones of a preset that sound at a velocity."""
    zones = []
    for above in _with_global(font.tables, "p", row, INSTRUMENT):
        for below in _with_global(font.tables, "i", above[INSTRUMENT], SAMPLE):
            (low, high), (lowest, highest) = (ranges(z.get(KEY_RANGE, 127 << 8)) for z in (above, below))
            low, high = max(low, lowest), min(high, highest)
            if low > high or not (sounds_at(above, velocity) and sounds_at(below, velocity)):
                continue
            added = {op: amount + below.get(op, _DEFAULTS.get(op, 0)) for op, amount in above.items()}
            settings = below | {op: amount for op, amount in added.items() if op not in _NOT_ADDED}
            zones.append(Zone(low, high, below[SAMPLE], below.get(SAMPLE_MODES, 0) in (1, 3), settings))
    return zones


def _with_global(tables: dict[str, np.ndarray], kind: str, row: int, last: int) -> Iterator[dict[int, int]]:
    """Zones that end in `last`, with the settings of the first zone, the global one, where they have none."""
    common: dict[int, int] = {}
    for place, (_, generators) in enumerate(zone_rows(tables, kind, row)):
        if last in generators:
            yield common | generators
        elif place == 0:
            common = generators


def _chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        body = data[place + 8 : place + 8 + size]
        if len(body) < size:
            raise ValueError("it is cut short")
        yield name.decode("latin-1"), body
        place += 8 + size + size % 2


def _check(tables: dict[str, np.ndarray], n_bytes: int) -> None:
    """Every index points into its table."""
    for owner, field, target in (
        ("phdr", "bag", "pbag"),
        ("inst", "bag", "ibag"),
        ("pbag", "gen", "pgen"),
        ("ibag", "gen", "igen"),
    ):
        column = tables[owner][field].astype(np.int64)
        if not len(column) or (np.diff(column) < 0).any() or column.max() > len(tables[target]):
            raise ValueError(f"its table {owner} points nowhere")
    for table, op, target in (("pgen", INSTRUMENT, "inst"), ("igen", SAMPLE, "shdr")):
        amounts = tables[table]["amount"][tables[table]["op"] == op]
        if len(amounts) and not 0 <= amounts.min() <= amounts.max() < len(tables[target]) - 1:
            raise ValueError(f"its table {table} points nowhere")
    samples = tables["shdr"][:-1]
    if not len(samples) or len(tables["phdr"]) < 2:
        raise ValueError("it has no sounds")
    if (samples["end"] > n_bytes).any() or (samples["rate"] == 0).any():
        raise ValueError("a sample is outside the file")
