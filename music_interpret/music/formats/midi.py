"""MIDI: Standard MIDI Files 1.0 of type 0 and 1, bare, as karaoke (.kar) or in a RIFF container (.rmi).

symusic reads them. Before that the file's chunks are counted, since each stands for itself whatever the header says;
and where symusic refuses a file for a byte that is out of range, the byte is put right or its message left out: a wrong
controller value makes no note unreadable.

Signatures: a metre that holds for no more than its first bar, shorter than a bar of the next, is an upbeat that the
writing program gave a metre of its own. Where all signatures are one beat long (1/4), the program knew of beats alone,
and they are no statement; nor is one whose numbers are no metre.
"""

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from music_interpret.music.formats.written import NO_SPELLING, BrokenScore, Instrument, WrittenScore

LARGEST_POWER = 6
"""Of 2, in a signature's denominator: 64."""
Signature = tuple[int, int, int]
"""Tick, numerator, denominator."""

DATA, DELTA = rb"[\x00-\x7f]", rb"[\x80-\xff]{0,3}[\x00-\x7f]"
# Channel messages with the status byte's, and after it those that go without ("running status").
TWO_BYTES = rb"[\x80-\xbf\xe0-\xef]%b%b(?:%b%b%b)*+" % (DATA, DATA, DELTA, DATA, DATA)
ONE_BYTE = rb"[\xc0-\xdf]%b(?:%b%b)*+" % (DATA, DELTA, DATA)
CHANNEL_MESSAGES = re.compile(rb"(?:%b(?:%b|%b))*+" % (DELTA, TWO_BYTES, ONE_BYTE))
NOTE_ONS = re.compile(
    rb"%b(?:([\x90-\x9f]%b%b(?:%b%b%b)*+)|%b|%b)" % (DELTA, DATA, DATA, DELTA, DATA, DATA, TWO_BYTES, ONE_BYTE)
)
EXPLICIT = re.compile(rb"(?:%b(?:[\x80-\xbf\xe0-\xef]%b%b|[\xc0-\xdf]%b))*+" % (DELTA, DATA, DATA, DATA))
NOTE_ON = re.compile(rb"[\x90-\x9f]%b[\x01-\x7f]" % DATA)
"""In messages with status bytes nothing else looks so: after a delta time's byte come its end and a status."""
RUNNING_VELOCITY = re.compile(rb"%b%b(%b)" % (DELTA, DATA, DATA))
NO_METRE = re.compile(rb"\xff\x58\x04.[%c-\xff]" % (LARGEST_POWER + 1), re.DOTALL)
"""A time signature whose denominator is too large a power of 2; symusic takes the power modulo 32."""
LENGTHS = {0xC0: 1, 0xD0: 1}
"""Data bytes of channel messages; others have 2."""
META, SYSEX, SYSEX_END = 0xFF, 0xF0, 0xF7
NOTE_OFF, PROGRAM_CHANGE = 0x80, 0xC0


def read(path: Path) -> list[WrittenScore]:
    """The file's score; BrokenScore if it is no MIDI file of a kind that is read."""
    data = _unwrapped(path.read_bytes())
    if data[:4] != b"MThd":
        raise BrokenScore("not a MIDI file (it does not start with MThd)")
    if len(data) < 14:
        raise BrokenScore("the file ends in its header")
    if data[8:10] == b"\0\2":
        raise BrokenScore("MIDI of type 2, whose tracks are separate pieces")
    score, data = _parsed(_with_all_tracks(data))
    if score.ticks_per_quarter < 1:
        raise BrokenScore("it has 0 ticks a beat")
    instruments = [Instrument(track.name, track.program, track.is_drum) for track in score.tracks]
    rows = [_rows(number, track.notes.numpy()) for number, track in enumerate(score.tracks)]
    signatures = [(s.time, s.numerator, s.denominator) for s in score.time_signatures]
    return [
        WrittenScore(
            ticks=score.ticks_per_quarter,
            notes=np.concatenate([np.zeros((0, 8), np.int64), *rows]),
            instruments=instruments,
            signatures=statements(signatures, score.ticks_per_quarter),
            note_tokens=sum(map(count_note_ons, _tracks(data)[0])),
        )
    ]


def _rows(track: int, notes: Any) -> np.ndarray:
    """Rows as `WrittenNote` says."""
    n = len(notes["time"])
    rows = np.zeros((n, 8), np.int64)
    rows[:, 0], rows[:, 1], rows[:, 2] = notes["time"], notes["time"] + notes["duration"], notes["pitch"]
    rows[:, 3], rows[:, 4], rows[:, 5] = NO_SPELLING, track, track
    return rows


def statements(signatures: list[Signature], ticks: int) -> list[Signature]:
    """What a file's time signatures say of where bars begin.

    Args:
        signatures: in any order; of several at one tick the last holds.
        ticks: per quarter note.
    """
    at = {s[0]: s for s in signatures if s[1] > 0 and 0 < s[2] <= 2**LARGEST_POWER}
    found = [at[tick] for tick in sorted(at)]
    if found and all(numerator == 1 for _, numerator, _ in found):
        return []
    if len(found) > 1:
        (first, *metre), (second, *following) = found[:2]
        bar, next_bar = (4 * ticks * numerator / denominator for numerator, denominator in (metre, following))
        if second - first <= bar < next_bar:
            del found[0]
    return found


# Bytes


def _unwrapped(data: bytes) -> bytes:
    """The MIDI file in a RIFF container of type RMID; any other data as it is."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    at = 12
    while at + 8 <= len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise BrokenScore("a RIFF file without MIDI data in it")


def _with_all_tracks(data: bytes) -> bytes:
    """The file with a header that says how many tracks there are; BrokenScore if it is cut off between two of them."""
    tracks, end = _tracks(data)
    stated = struct.unpack(">H", data[10:12])[0]
    if len(tracks) < stated and end != len(data):
        raise BrokenScore(f"it ends after {len(tracks)} of its {stated} tracks")
    return data[:10] + struct.pack(">H", min(len(tracks), 0xFFFF)) + data[12:]


def _tracks(data: bytes) -> tuple[list[bytes], int]:
    """The content of each track chunk, the last perhaps cut short, and where the last chunk ends or would end."""
    tracks, at = [], 8 + struct.unpack(">I", data[4:8])[0]
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at + 4 : at + 8])[0]
        if data[at : at + 4] == b"MTrk":
            tracks.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return tracks, at


def count_note_ons(track: bytes) -> int:
    """Messages of a track that begin a note (note-on with a velocity above 0), by searching its bytes for them."""
    count, at = 0, 0
    while at < len(track):
        end = _end(EXPLICIT, track, at)
        after = _quantity(track, end)[1]
        if after >= len(track) or track[after] >= NOTE_OFF:
            count += len(NOTE_ON.findall(track, at, end))
        else:  # a message without its status byte: go through them one by one
            end = _end(CHANNEL_MESSAGES, track, at)
            for run in NOTE_ONS.findall(track, at, end):
                count += run[2:3] > b"\0"
                count += sum(velocity != b"\0" for velocity in RUNNING_VELOCITY.findall(run, 3))
        at = _after_other(track, end)
    return count


def _end(pattern: re.Pattern[bytes], track: bytes, at: int) -> int:
    found = pattern.match(track, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _after_other(track: bytes, at: int) -> int:
    """Where the message after a meta event or system message begins, or the one after a byte that fits nowhere."""
    at = _quantity(track, at)[1]
    if at >= len(track):
        return len(track)
    if track[at] == META:
        at += 1
    elif track[at] not in (SYSEX, SYSEX_END):
        return at + 1
    size, at = _quantity(track, at + 1)
    return at + size


def _quantity(track: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = 0
    end = at
    for byte in track[at : at + 4]:
        value, end = value << 7 | byte & 0x7F, end + 1
        if byte < 0x80:
            break
    return value, end


def _parsed(data: bytes) -> tuple[Any, bytes]:
    """symusic's score of the file, and the bytes that it read: repaired ones, if it refuses those that are there."""
    import symusic

    if NO_METRE.search(data):
        data = _repaired(data)
    try:
        return symusic.Score.from_midi(data), data
    except RuntimeError as error:
        reason = str(error).removesuffix(": iostream error")
    repaired = _repaired(data)
    if repaired == data:
        raise BrokenScore(reason)
    try:
        return symusic.Score.from_midi(repaired), repaired
    except RuntimeError:
        raise BrokenScore(reason) from None


def _repaired(data: bytes) -> bytes:
    """The file with every byte in range; as it is if its end is missing."""
    chunks, at = [data[:14]], 8 + struct.unpack(">I", data[4:8])[0]
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at + 4 : at + 8])[0]
        if at + 8 + size > len(data):
            return data
        if data[at : at + 4] == b"MTrk":
            track = _repaired_track(data[at + 8 : at + 8 + size])
            chunks.append(b"MTrk" + struct.pack(">I", len(track)) + track)
        at += 8 + size
    return b"".join(chunks)


def _repaired_track(track: bytes) -> bytes:
    """Messages with values in range: others are clipped, or the message left out if they say which note or program."""
    kept = bytearray()
    at, status, waited = 0, 0, 0
    while at < len(track):
        delta, at = _quantity(track, at)
        waited += delta
        if at >= len(track):
            break
        first = at
        if track[at] >= NOTE_OFF:
            status, at = track[at], at + 1
        if status in (META, SYSEX, SYSEX_END):
            size, end = _quantity(track, at + (status == META))
            at = end + size
            if at > len(track):
                break
            message = track[first:at]
            if NO_METRE.match(message):
                message = message[:3] + b"\0" + message[4:]  # a numerator of 0 is no statement
        elif NOTE_OFF <= status < SYSEX:
            size = LENGTHS.get(status & 0xF0, 2)
            values, at = track[at : at + size], at + size
            names = values[:1] if status < 0xA0 or status & 0xF0 == PROGRAM_CHANGE else b""
            if len(values) < size or any(value > 127 for value in names):
                continue
            message = bytes([status, *(min(value, 127) for value in values)])
        else:  # a system message, or data that no status came before
            at += status in (0xF1, 0xF3) or 2 * (status == 0xF2) or (first == at)
            continue
        kept += _as_quantity(waited) + message
        waited = 0
    return bytes(kept)


def _as_quantity(value: int) -> bytes:
    """A number of variable length, of at most four bytes."""
    groups = [min(value, 2**28 - 1) >> shift & 0x7F for shift in (21, 14, 7, 0)]
    while len(groups) > 1 and not groups[0]:
        del groups[0]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
