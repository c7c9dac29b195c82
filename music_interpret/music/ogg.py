"""Ogg Vorbis in memory, through soundfile, the same bytes for the same sound every time."""

import io
import struct
import zlib
from types import ModuleType

import numpy as np

from music_interpret.errors import InputError

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# Minutes of sound in one call crash libsndfile's Vorbis encoder (measured: 5 minutes, libsndfile 1.2.2).
_BLOCK = 1 << 16


def soundfile() -> ModuleType:
    """The library that reads and writes Ogg; InputError where it is not installed."""
    try:
        import soundfile
    except (ImportError, OSError):
        raise InputError(
            "compressed sound needs the package soundfile: pip install 'music-interpret[explore]'"
        ) from None
    return soundfile


def encode_ogg(samples: np.ndarray, rate: int, quality: float) -> bytes:
    """Mono sound, float32 (n_frames,) within −1 … 1, as Ogg Vorbis.

    Args:
        samples: the sound.
        rate: frames per second.
        quality: 0 (smallest) to 1 (best).
    """
    library = soundfile()
    file = io.BytesIO()
    level = 1.0 - quality
    with library.SoundFile(file, "w", rate, 1, format="OGG", subtype="VORBIS", compression_level=level) as ogg:
        for first in range(0, len(samples), _BLOCK):
            ogg.write(samples[first : first + _BLOCK])
    return with_serial(file.getvalue(), 1)


def decode_ogg(data: bytes) -> np.ndarray:
    """The first channel of an Ogg file in memory, float32 (n_frames,); InputError if it is damaged."""
    library = soundfile()
    try:
        return library.read(io.BytesIO(data), dtype="float32", always_2d=True)[0][:, 0]
    except library.SoundFileError as error:
        raise InputError(f"not a readable Ogg sound ({error})") from None


def with_serial(data: bytes, serial: int) -> bytes:
    """An Ogg stream with this serial number. The library draws one at random, so equal sounds would differ as files.

    Each page has the number in bytes 14 to 17 and a checksum in bytes 22 to 25. Source: RFC 3533, section 6.
    """
    pages, place = [], 0
    while place < len(data):
        n_segments = data[place + 26]
        body = place + 27 + n_segments
        end = body + sum(data[place + 27 : body])
        page = bytearray(data[place:end])
        struct.pack_into("<I", page, 14, serial)
        struct.pack_into("<I", page, 22, 0)
        struct.pack_into("<I", page, 22, _checksum(page))
        pages.append(bytes(page))
        place = end
    return b"".join(pages)


def _checksum(page: bytes | bytearray) -> int:
    """CRC-32 with the highest bit first, from 0: zlib's, which goes the other way round, on mirrored bytes."""
    crc = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
