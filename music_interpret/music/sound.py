"""Notes as sound, for listening to excerpts.

A sound begins exactly at a step: frame f is step start + f / rate / seconds_per_step. It ends RELEASE_SECONDS after the
last step, in a fade. Every note has the same loudness, since notes have none here. A sound is scaled as a whole by a
fixed gain, and further down only if its peak would go beyond PEAK: so an excerpt with a voice left out sounds as loud
as the excerpt itself, which a loudness target for each would undo, and nothing clips.

The notes are played from the project's soundfont (`soundfont/`, see its NOTICE.md) by `sampler.Sampler`. Where that
cannot be read, plain tones take its place, and `font_problem()` says why. symusic's own synthesiser is not used: in
symusic 0.6.0 its `render` cannot hand its result to Python (TypeError, whatever the score), and in 0.5.9, where it can,
it plays instruments whose zones name their root key at the wrong pitch (clarinet: A4 comes out as G5).
"""

import functools
import io
import wave
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music import ogg
from music_interpret.music.notes import BEAT, DURATION, PITCH, POSITION, PROGRAM
from music_interpret.music.sampler import Sampler
from music_interpret.music.sf3 import read_font

FONT = Path(__file__).parent / "soundfont" / "FluidR3Mono_trimmed.sf3"
RATE = 44100
RELEASE_SECONDS = 0.5
GAIN, PEAK = 0.35, 0.95
# Shorter notes, and those of no length, would be a click or nothing.
MIN_NOTE_SECONDS = 0.05
MAX_MINUTES = 30
OGG_QUALITY = 0.2
_HARMONICS = ((1, 0.5), (2, 0.25), (3, 0.12), (4, 0.06))
_WARM_PROGRAMS = (0, 52)


class Sound(NamedTuple):
    """Sound on one channel."""

    samples: np.ndarray
    """float32 (n_frames,) within −1 … 1."""
    rate: int
    """Frames per second."""


class Player(Protocol):
    """What makes one note: a sampler, or plain tones."""

    def note(self, program: int, pitch: int, n_frames: int) -> np.ndarray:
        """A note held for `n_frames` and what rings on after it, float32 (n_frames + its release,)."""
        ...


class Tones:
    """Plain tones: four harmonics that die away, the same for every program."""

    def note(self, program: int, pitch: int, n_frames: int) -> np.ndarray:
        """As `Player.note` says."""
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        n_release = int(0.15 * RATE)
        seconds = np.arange(n_frames + n_release) / RATE
        sound = np.zeros(len(seconds))
        for harmonic, share in _HARMONICS:
            # From half the rate on, a harmonic would come back as a wrong tone.
            if harmonic * hertz < RATE / 2:
                sound += share * np.sin(2 * np.pi * harmonic * hertz * seconds) * np.exp(-harmonic * seconds)
        sound *= np.minimum(seconds / 0.005, 1)
        sound[n_frames:] *= np.linspace(1, 0, n_release)
        return (0.4 * sound).astype(np.float32)


def render(notes: np.ndarray, *, resolution: int, tempo_qpm: float, start: int = 0, end: int | None = None) -> Sound:
    """The notes that start in [start, end), cut at `end`.

    Args:
        notes: valid note array, shape (n_notes, 5): rows (beat, position, pitch, duration, program), in any order.
        resolution: steps per beat.
        tempo_qpm: beats per minute.
        start: the step that the sound begins at.
        end: step after the last; default: where the last note ends.

    Returns:
        (end − start) steps and RELEASE_SECONDS of sound; silence if no note starts there.

    Raises:
        InputError: the excerpt ends before it starts, or takes longer than MAX_MINUTES.
    """
    onsets = notes[:, BEAT].astype(np.int64) * resolution + notes[:, POSITION]
    ends = onsets + notes[:, DURATION]
    if end is None:
        end = max(int(ends.max(initial=start)), start)
    frames_per_step = 60 / tempo_qpm / resolution * RATE
    if not 0 <= (end - start) * frames_per_step <= MAX_MINUTES * 60 * RATE:
        raise InputError(
            f"steps {start} to {end} are no excerpt that can be played; expected 0 to {MAX_MINUTES} minutes"
        )
    inside = (onsets >= start) & (onsets < end)
    steps = np.minimum(ends, end) - onsets
    played = np.stack([notes[:, PROGRAM], notes[:, PITCH], steps, onsets - start], axis=1)[inside]
    n_frames, n_release = round((end - start) * frames_per_step), round(RELEASE_SECONDS * RATE)
    sound = _mixed(played, frames_per_step, n_frames + n_release)
    # A fade that starts and ends level, so that neither side clicks.
    sound[n_frames:] *= np.cos(np.linspace(0, np.pi / 2, n_release, dtype=np.float32)) ** 2
    peak = float(np.abs(sound).max(initial=0))
    sound *= min(GAIN, PEAK / peak) if peak else GAIN
    return Sound(sound, RATE)


def _mixed(played: np.ndarray, frames_per_step: float, n_frames: int) -> np.ndarray:
    """All notes on one track, float32 (n_frames,).

    Args:
        played: rows (program, pitch, steps it lasts, first step), int64 (n_notes, 4).
        frames_per_step: frames of one step.
        n_frames: length of the sound.
    """
    sound = np.zeros(n_frames, np.float32)
    player, _ = _player()
    # Equal notes are made once.
    kinds, kind_of = np.unique(played[:, :3], axis=0, return_inverse=True)
    for kind, (program, pitch, steps) in enumerate(kinds.tolist()):
        voice = player.note(program, pitch, max(round(steps * frames_per_step), round(MIN_NOTE_SECONDS * RATE)))
        for step in played[kind_of.reshape(-1) == kind, 3].tolist():
            first = round(step * frames_per_step)
            part = sound[first : first + len(voice)]
            part += voice[: len(part)]
    return sound


@functools.cache
def _player() -> tuple[Player, str | None]:
    """What plays notes here, and what is wrong with the soundfont if it does not."""
    try:
        ogg.soundfile()
        return _opened(FONT), None
    except (InputError, OSError) as error:
        return Tones(), f"Sounds are plain tones, because the soundfont cannot be used: {error}."


def _opened(path: Path) -> Sampler:
    """A sampler of the soundfont at `path` that has played a note; InputError if it cannot."""
    if not path.is_file():
        raise InputError(f"missing soundfont {path}")
    sampler = Sampler(read_font(path.read_bytes(), str(path)), RATE)
    sampler.note(0, 60, 1)
    return sampler


def warm() -> None:
    """Read the soundfont and the samples of common instruments, which the first sounds would else wait for."""
    player, _ = _player()
    if isinstance(player, Sampler):
        for program in _WARM_PROGRAMS:
            player.load(program)


def font_problem() -> str | None:
    """A sentence on why sounds are plain tones; None if they are played from the soundfont."""
    return _player()[1]


def wav_bytes(sound: Sound) -> bytes:
    """The sound as a WAV file, 16 bits a frame."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sound.rate)
        wav.writeframes(np.round(sound.samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def ogg_bytes(sound: Sound) -> bytes:
    """The sound as an Ogg Vorbis file, the same bytes for the same sound; InputError if soundfile is not installed."""
    return ogg.encode_ogg(sound.samples, sound.rate, OGG_QUALITY)
