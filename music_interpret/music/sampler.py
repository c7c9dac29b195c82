"""Notes played from a soundfont: a sample, shifted to the note's pitch, looped, filtered and shaped by its envelope.

Of the SoundFont synthesis model this has what makes an excerpt recognisable: key zones, tuning, loops, the volume
envelope, attenuation and a low-pass filter that stands still. It leaves out vibrato, tremolo, panning, reverb, chorus
and velocity (every note has the same: MMT has none). Two departures are meant for short excerpts that must be heard:
an attack is cut to 0.08 s (slow strings would else be silent in quavers), a delay is ignored. Source of the model:
SoundFont Technical Specification 2.04, section 9; attenuation counts 0.4-fold, as on the hardware that fonts are made
for. A release lasts 0.02 to 1 s.
"""

import functools
import threading
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music import sf3
from music_interpret.music.instruments import INSTRUMENTS
from music_interpret.music.ogg import decode_ogg
from music_interpret.music.sf3 import SoundFont, Zone, preset_zones

VELOCITY = 100
FULL_SCALE = 32767
RINGING = 4096
"""Frames that a filter may go on sounding for."""
MAX_ATTACK_SECONDS = 0.08
MIN_RELEASE_SECONDS, MAX_RELEASE_SECONDS = 0.02, 1.0
AUDIBLE = 0.6
"""Fraction of a release, a fall by 100 dB, until it is 60 dB down; the rest is left out."""
KEPT_NOTES = 64
"""Notes that are kept as sound, about 100 KB each."""
_FIRST_PROGRAMS = {program: programs[0] for _, programs in INSTRUMENTS for program in programs}


class Header(NamedTuple):
    """What a font says about a sample."""

    start: int
    """First byte."""
    end: int
    """Byte after the last."""
    loop: tuple[int, int]
    """First frame of the loop, and the frame after its last."""
    rate: int
    """Frames per second."""
    key: int
    """MIDI note number that the sample sounds at when it is played as it is."""
    correction: int
    """Cents to add to it."""


class Sampler:
    """Plays notes from a soundfont. Threads may share one."""

    def __init__(self, font: SoundFont, rate: int):
        """
        Args:
            font: the soundfont; samples are decompressed when a note first needs them.
            rate: frames per second of the sound to make.
        """
        self.rate = rate
        self._font = font
        presets = font.tables["phdr"][:-1]
        self._rows = {int(p["program"]): row for row, p in reversed(list(enumerate(presets))) if p["bank"] == 0}
        self._zones: dict[int, list[Zone]] = {}
        self._samples: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()
        # Music says the same notes again and again.
        self._notes = functools.lru_cache(KEPT_NOTES)(self._made)

    def note(self, program: int, pitch: int, n_frames: int) -> np.ndarray:
        """A note held for `n_frames` and what rings on after it, float32 (n_frames + its release,), not to be changed.

        Args:
            program: General MIDI program; one that the font lacks sounds as its MMT instrument, else as the nearest.
            pitch: MIDI note number.
            n_frames: how long the key is held.
        """
        return self._notes(program, pitch, n_frames)

    def _made(self, program: int, pitch: int, n_frames: int) -> np.ndarray:
        zones = self._zones_of(self._known(program))
        # Beyond the keys that an instrument has, its nearest zones go on.
        reach = min(max(zone.low - pitch, pitch - zone.high, 0) for zone in zones)
        voices = [
            self._voice(zone, pitch, n_frames) for zone in zones if max(zone.low - pitch, pitch - zone.high, 0) == reach
        ]
        sound = np.zeros(max(map(len, voices)), np.float32)
        for voice in voices:
            sound[: len(voice)] += voice
        return sound

    def load(self, program: int) -> None:
        """Decompress all samples of a program."""
        for zone in self._zones_of(self._known(program)):
            self._sample(zone.sample)

    def _known(self, program: int) -> int:
        program = program if program in self._rows else _FIRST_PROGRAMS.get(program, program)
        return min(self._rows, key=lambda known: (abs(known - program), known))

    def _zones_of(self, program: int) -> list[Zone]:
        if program not in self._zones:
            zones = preset_zones(self._font, self._rows[program], VELOCITY)
            if not zones:
                raise InputError(f"program {program} of the soundfont has no samples")
            self._zones[program] = zones
        return self._zones[program]

    def _header(self, row: int) -> Header:
        h = self._font.tables["shdr"][row]
        start, end, first, last = (int(h[name]) for name in ("start", "end", "loop_start", "loop_end"))
        return Header(start, end, (first, last), int(h["rate"]), int(h["key"]), int(h["correction"]))

    def _sample(self, row: int) -> np.ndarray:
        """The decompressed sample, int16 (n_frames,), as fonts are made of: half the memory of float32."""
        with self._lock:
            if row not in self._samples:
                header = self._header(row)
                sound = decode_ogg(self._font.samples[header.start : header.end])
                self._samples[row] = np.round(np.clip(sound, -1, 1) * FULL_SCALE).astype(np.int16)
            return self._samples[row]

    def _voice(self, zone: Zone, pitch: int, n_frames: int) -> np.ndarray:
        header, sample = self._header(zone.sample), self._sample(zone.sample)
        envelope = self._envelope(zone, n_frames)
        step = header.rate / self.rate * 2 ** (_semitones(zone, header, pitch) / 12)
        first, after = header.loop
        loops = zone.loops and 0 <= first < after <= len(sample)
        if not loops:
            envelope = envelope[: max(int((len(sample) - 1) / step), 1)]
        places = np.arange(len(envelope)) * step
        if loops:
            over = places >= after
            places[over] = first + (places[over] - first) % (after - first)
        return self._filtered(zone, _interpolated(sample, places)) * envelope

    def _envelope(self, zone: Zone, n_frames: int) -> np.ndarray:
        """Loudness of each frame: a linear attack, then straight lines in decibels. float32 (n_frames + release,)."""
        attack = min(_seconds(zone.get(sf3.ATTACK)), MAX_ATTACK_SECONDS)
        release = max(_seconds(zone.get(sf3.RELEASE)), MIN_RELEASE_SECONDS)
        n_release = int(min(release * AUDIBLE, MAX_RELEASE_SECONDS) * self.rate)
        seconds = np.arange(n_frames + n_release, dtype=np.float32) / np.float32(self.rate)
        # From here on: decibels below full loudness. Decay and release are the times of a fall by 100 dB.
        falling = (seconds - attack - _seconds(zone.get(sf3.HOLD))) * (100 / _seconds(zone.get(sf3.DECAY)))
        below = np.clip(falling, 0, min(max(zone.get(sf3.SUSTAIN) / 10, 0), 100))
        after = seconds[n_frames:] - np.float32(n_frames / self.rate)
        below[n_frames:] = below[n_frames] + after * (100 / release)
        loudness = 10 ** ((-0.4 * zone.get(sf3.ATTENUATION) / 10 - below) / 20) * np.minimum(seconds / attack, 1)
        loudness[n_frames:] *= np.linspace(1, 0, n_release)
        return loudness.astype(np.float32)

    def _filtered(self, zone: Zone, sound: np.ndarray) -> np.ndarray:
        """The sound below the zone's cut-off frequency, which stands where its envelope opens it to."""
        cents = zone.get(sf3.FILTER_CUTOFF) + max(zone.get(sf3.ENVELOPE_TO_FILTER), 0)
        cutoff = 8.176 * 2 ** (cents / 1200)
        if cents >= 13500 or cutoff >= 0.45 * self.rate:
            return sound
        # Second-order low-pass filter. Source: Bristow-Johnson, "Cookbook formulae for audio EQ biquad filters".
        angle = 2 * np.pi * cutoff / self.rate
        alpha = np.sin(angle) / (2 * 10 ** ((zone.get(sf3.FILTER_Q) / 10 - 3.01) / 20))
        up = np.array([0.5, 1, 0.5]) * (1 - np.cos(angle))
        down = np.array([1 + alpha, -2 * np.cos(angle), 1 - alpha])
        # As a product of spectra: scipy.signal, which would filter in time, takes a second to import.
        n = 2 ** int(np.ceil(np.log2(len(sound) + RINGING)))
        turns = np.exp(-2j * np.pi * np.arange(n // 2 + 1) / n)
        response = np.polynomial.polynomial.polyval(turns, up) / np.polynomial.polynomial.polyval(turns, down)
        filtered = np.fft.irfft(np.fft.rfft(sound, n) * response.astype(np.complex64), n)
        return filtered[: len(sound)].astype(np.float32)


def _seconds(timecents: int) -> float:
    return 2 ** (min(max(timecents, -12000), 8000) / 1200)


def _semitones(zone: Zone, header: Header, pitch: int) -> float:
    """How far a sample is moved up for a pitch."""
    root = zone.settings.get(sf3.ROOT_KEY, -1)
    root = root if 0 <= root <= 127 else header.key
    cents = (pitch - root) * zone.get(sf3.SCALE_TUNING) + zone.get(sf3.FINE_TUNE) + header.correction
    return zone.get(sf3.COARSE_TUNE) + cents / 100


def _interpolated(sample: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The sample between its frames, by a Catmull-Rom spline through the four nearest."""
    frames = places.astype(np.int64)
    x = (places - frames).astype(np.float32)
    padded = np.concatenate([sample[:1], sample, np.zeros(3, np.int16)])
    a, b, c, d = (padded[frames + i] * np.float32(1 / FULL_SCALE) for i in range(4))
    return b + 0.5 * x * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)))
