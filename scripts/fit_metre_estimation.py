"""Fit the network of `music_interpret/music/metre_network.py` on songs whose time signatures are known.

The songs are those of data sets that `ingest` made. The weights in the package come from music21's bach, palestrina
(the first 400), haydn, mozart (quartets only), ryansMammoth, airdsAirs and oneills1850, and from the OpenScore Lieder
(1,400) and StringQuartets (95, none by Beethoven), MusicXML in the public domain (CC0); at least 50 notes each, of
tunes 30. Every second song by name is held out, and songs that are nearly the same as one of these, in any of the data
sets, are left out.

To the songs come medleys, a third as many: the beginning of one and the end of another, or of itself, joined at a
downbeat or one to three beats before it, to teach changes and short bars. And a third of the songs comes once more in
notes twice as long, another in notes half as long: 3/4 in 3/2 and 3/8, 6/8 in 6/4. Songs of a corpus in a rare metre
come more often than those in a common one, up to four times an epoch.

The loss is the cross-entropy of hypotheses (a bar's length and where the first bar begins) and of signatures, over
windows of six bars of 4/4 and over whole stretches of one metre. Adam with weight decay, a rate that rises and falls
once; of all epochs the one with the least loss on held-out songs, averaged over corpora, is kept. The cost of a change,
CHANGE in `metre_estimation.py`, was chosen on the held-out halves. An epoch takes about 40 seconds on a busy core:

    python3 scripts/fit_metre_estimation.py data/base/bach data/base/lieder … [--epochs 24] [--channels 32]
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from music_interpret.music.dataset import open_dataset
from music_interpret.music.duplicates import find_duplicates
from music_interpret.music.metre_evidence import GAP, N_EVIDENCE, evidence, lay_out
from music_interpret.music.metre_network import DILATIONS, LENGTHS, MEAN_AFTER, SIGNATURES, WEIGHTS
from music_interpret.music.metres import read_metres
from music_interpret.music.notes import BEAT, DURATION, POSITION

BATCH_FRAMES = 6_000
"""Songs are taken until there are so many."""
PEAK_RATE = 4e-3
DROP = 0.1
"""Fraction of hidden values set to zero."""
SIGNATURE_WEIGHT = 0.5
EVENLY = 64
"""Of n songs of a corpus in one signature, √(n · EVENLY) come in an epoch."""
MOST_OFTEN = 4.0
"""A song comes no more often than this in an epoch, on average."""
CHECKED = 60
"""Songs of a corpus's held-out half on which the loss is followed."""
FINE = 0.05
"""Songs with a larger fraction of notes off the eighths are not written in notes half as long."""
OTHER = -1
"""A length or signature that is not told apart; and frames between songs."""


class Lesson(NamedTuple):
    """A song, prepared; each frame is a sixteenth."""

    evidence: torch.Tensor
    """(n_frames, N_EVIDENCE)."""
    length: torch.Tensor
    """Number of the bar's length in LENGTHS, or OTHER, of each frame."""
    since: torch.Tensor
    """Frames since the bar's beginning, of each frame."""
    stretch: torch.Tensor
    """Number of the stretch of one metre, of each frame."""
    signature: torch.Tensor
    """Number of the metre in SIGNATURES, or OTHER, of each frame."""


def held_out(names: list[str]) -> list[str]:
    """Every second song, by name."""
    return sorted(names)[1::2]


def lessons(songs: list[tuple[np.ndarray, np.ndarray]], resolution: int) -> list[Lesson]:
    """Evidence of songs, notes and metres each, and what the metres say of each frame."""
    notes = [notes for notes, _ in songs]
    frames, onsets = lay_out(np.concatenate(notes), np.cumsum([0, *map(len, notes)]), resolution)
    values = torch.from_numpy(evidence(frames, onsets)).half()
    lengths = {length: number for number, length in enumerate(LENGTHS)}
    signatures = {signature: number for number, signature in enumerate(SIGNATURES)}
    found = []
    for (_, metres), first, length, origin in zip(songs, frames.first, frames.length, frames.origin, strict=True):
        step = (np.arange(length) + origin) * resolution // 4
        stretch = np.maximum(np.searchsorted(metres[:, 0], step, side="right") - 1, 0)
        bar = metres[:, 1] * 4 * resolution // metres[:, 2]
        since = (step - metres[stretch, 0]) % bar[stretch] * 4 // resolution
        of_length = np.array([lengths.get(16 * row[1] / row[2], OTHER) for row in metres])
        of_signature = np.array([signatures.get((row[1], row[2]), OTHER) for row in metres])
        truth = (of_length[stretch], since, stretch, of_signature[stretch])
        found.append(Lesson(values[first : first + length], *map(torch.from_numpy, truth)))
    return found


class Network(torch.nn.Module):
    """`metre_network.py` in torch, for gradients."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        n_out = 2 * len(LENGTHS) + len(SIGNATURES)
        shapes = {"in": (3, N_EVIDENCE, channels), "mean": (channels, channels), "out": (channels, n_out)}
        shapes |= {f"conv{number}": (3, channels, channels) for number in range(len(DILATIONS))}
        self.parts = torch.nn.ParameterDict()
        for name, shape in shapes.items():
            spread = 0.02 if name == "out" else 1.0
            fan_in = int(np.prod(shape[:-1]))
            self.parts[f"{name} weight"] = torch.randn(shape) * spread / fan_in**0.5
            self.parts[f"{name} bias"] = torch.zeros(shape[-1])

    def layer(self, values: torch.Tensor, name: str, dilation: int) -> torch.Tensor:
        before, here, after = self.parts[f"{name} weight"]
        padded = functional.pad(values, (0, 0, dilation, dilation))
        out = values @ here + padded[: -2 * dilation] @ before + padded[2 * dilation :] @ after
        return functional.relu(out + self.parts[f"{name} bias"])

    def forward(self, evidence: torch.Tensor, song: torch.Tensor, drop: float = 0.0) -> torch.Tensor:
        """Of frames (n_frames, N_EVIDENCE), and the number of each frame's song, −1 between songs."""
        inside = (song >= 0).float()[:, None]
        frame = torch.nonzero(song >= 0)[:, 0]
        of_song = song[frame]
        hidden = self.layer(evidence, "in", 1) * inside
        for number, dilation in enumerate(DILATIONS):
            hidden = hidden + self.layer(functional.dropout(hidden, drop, drop > 0), f"conv{number}", dilation) * inside
            if number == MEAN_AFTER:
                n_songs = int(of_song.max()) + 1
                count = torch.bincount(of_song, minlength=n_songs)[:, None]
                means = torch.zeros(n_songs, hidden.shape[1]).index_add(0, of_song, hidden[frame]) / count
                more = functional.relu(means @ self.parts["mean weight"] + self.parts["mean bias"])
                hidden = hidden.index_add(0, frame, more[of_song])
        return (hidden @ self.parts["out weight"] + self.parts["out bias"]) * inside

    def save(self, path: Path) -> None:
        """Write what `metre_network.py` reads, half precision."""
        save_file({name.replace(" ", "."): value.detach().half() for name, value in self.parts.items()}, path)


class Batch(NamedTuple):
    """Songs on one line, GAP frames apart; arrays (n_frames,) but for the evidence."""

    evidence: torch.Tensor
    song: torch.Tensor
    """Number of the song, −1 between songs."""
    length: torch.Tensor
    since: torch.Tensor
    stretch: torch.Tensor
    signature: torch.Tensor


def batch(songs: list[Lesson]) -> Batch:
    """Lay songs on one line."""
    gap = torch.full((GAP,), OTHER)
    columns: list[list[torch.Tensor]] = [[torch.zeros(GAP, N_EVIDENCE)], [gap], [gap], [gap], [gap], [gap]]
    for number, (values, *truth) in enumerate(songs):
        columns[0] += [values.float(), torch.zeros(GAP, N_EVIDENCE)]
        columns[1] += [torch.full((len(values),), number), gap]
        for column, value in zip(columns[2:], truth, strict=True):
            column += [value, gap]
    return Batch(*map(torch.cat, columns))


def window_loss(said: torch.Tensor, songs: Batch, window: int) -> torch.Tensor:
    """Cross-entropy of the bar's length and phase, and of the signature, over windows of one stretch of one metre.

    A hypothesis, a length of bars and the place of the first, scores the sum of what is said for this length in all
    frames, and for a downbeat in those in which it has one; a signature the sum of what is said for it. Windows weigh
    as the root of their song's number of them.
    """
    frame = torch.arange(len(said))
    group = (songs.song * 4096 + songs.stretch) * 4096 + frame // window
    kept = torch.nonzero((songs.song >= 0) & (songs.length >= 0))[:, 0]
    unique, of_frame, count = torch.unique(group[kept], return_inverse=True, return_counts=True)
    n_groups, n = len(unique), len(LENGTHS)
    said, frame, length_of = said[kept], frame[kept], songs.length[kept]
    sums = torch.zeros(n_groups, said.shape[1]).index_add(0, of_frame, said)
    scores, first = [], 0
    target = torch.zeros(n_groups, dtype=torch.int64)
    for number, length in enumerate(LENGTHS):
        cell = of_frame * length + frame % length
        downbeats = torch.zeros(n_groups * length).index_add(0, cell, said[:, n + number])
        scores.append(sums[:, number, None] + downbeats.view(n_groups, length))
        right = length_of == number
        target[of_frame[right]] = first + (frame - songs.since[kept])[right] % length
        first += length
    loss = functional.cross_entropy(torch.cat(scores, 1), target, reduction="none")
    of_group = torch.zeros(n_groups, dtype=torch.int64)
    of_group[of_frame] = songs.song[kept]
    weight = (count >= 16) / torch.bincount(of_group)[of_group].float().sqrt()
    signature = torch.zeros(n_groups, dtype=torch.int64)
    signature[of_frame] = songs.signature[kept]
    loss = loss + SIGNATURE_WEIGHT * _signature_loss(sums[:, 2 * n :], signature)
    return (loss * weight).sum() / weight.sum()


def _signature_loss(scores: torch.Tensor, signature: torch.Tensor) -> torch.Tensor:
    """Cross-entropy among the signatures with bars as long; 0 where it is none of them."""
    bar = torch.tensor([16 * upper // lower for upper, lower in SIGNATURES])
    as_long = bar[signature, None] == bar
    return functional.cross_entropy(scores.masked_fill(~as_long, -1e4), signature, ignore_index=OTHER, reduction="none")


def loss_of(said: torch.Tensor, songs: Batch) -> torch.Tensor:
    """Over windows of six bars of 4/4, and over whole stretches."""
    return window_loss(said, songs, 96) + window_loss(said, songs, 2**20)


def often(corpora: list[list[Lesson]]) -> np.ndarray:
    """How often each song comes in an epoch, on average: evenly over a corpus's signatures, and over corpora."""
    cell = np.array([(corpus, int(song.signature[0])) for corpus, songs in enumerate(corpora) for song in songs])
    _, which, count = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    return np.minimum(np.sqrt(EVENLY / count[which.ravel()]), MOST_OFTEN)


def batches(songs: list[Lesson], times: np.ndarray, rng: np.random.Generator) -> list[list[Lesson]]:
    """Songs in random order, each so many times on average, BATCH_FRAMES and a little more at a time."""
    found: list[list[Lesson]] = [[]]
    frames = 0
    count = np.floor(times + rng.random(len(songs))).astype(int)
    for number in rng.permutation(np.repeat(np.arange(len(songs)), count)):
        found[-1].append(songs[number])
        frames += len(songs[number].length)
        if frames > BATCH_FRAMES:
            found.append([])
            frames = 0
    return [batch for batch in found if batch]


def fit(taught: list[list[Lesson]], checked: list[list[Lesson]], epochs: int, channels: int, out: Path) -> None:
    """Train with Adam at a rate that rises and falls once; keep what has the least loss on the held-out songs.

    Args:
        taught: songs of each corpus.
        checked: held-out songs of each corpus.
        epochs: to train for.
        channels: of the network.
        out: file of weights to write.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = Network(channels)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-2)
    times = often(taught)
    songs = [song for corpus in taught for song in corpus]
    held = [list(map(batch, batches(corpus, np.ones(len(corpus)), rng))) for corpus in checked]
    steps = epochs * (len(batches(songs, times, rng)) + 4)  # as many, and a few for chance
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps)
    begun, least = time.monotonic(), np.inf
    for epoch in range(epochs):
        total = []
        for line in map(batch, batches(songs, times, rng)):
            loss = loss_of(network(line.evidence, line.song, DROP), line)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            if schedule.last_epoch < steps - 1:
                schedule.step()
            total.append(float(loss.detach()))
        with torch.no_grad():
            each = [np.mean([float(loss_of(network(s.evidence, s.song), s)) for s in corpus]) for corpus in held]
        now = float(np.mean(each))
        seconds = time.monotonic() - begun
        print(f"epoch {epoch + 1}: {np.mean(total):.3f}, held out {now:.3f}, {seconds:.0f} s", flush=True)
        if now < least:
            least = now
            network.save(out)


class Known(NamedTuple):
    """A song whose metre is known."""

    step: np.ndarray
    """Of each note, from the song's first beat."""
    notes: np.ndarray
    """(n_notes, 5), sorted."""
    metres: np.ndarray
    """Stretches (first step, numerator, denominator)."""
    resolution: int

    def downbeats(self) -> np.ndarray:
        """Steps on which bars begin, up to the last note."""
        bar = self.metres[:, 1] * 4 * self.resolution // self.metres[:, 2]
        ends = np.append(self.metres[1:, 0], self.step[-1] + 1)
        return np.concatenate([np.arange(a, b, n) for (a, _, _), b, n in zip(self.metres, ends, bar, strict=True)])

    def part(self, start: int, stop: int, to: int) -> tuple[np.ndarray, np.ndarray]:
        """Notes and stretches between two steps, the first a downbeat, moved to another step."""
        notes = self.notes[(self.step >= start) & (self.step < stop)].copy()
        step = notes[:, BEAT] * self.resolution + notes[:, POSITION] - start + to
        notes[:, DURATION] = np.minimum(notes[:, DURATION], stop - start + to - step)
        notes[:, BEAT], notes[:, POSITION] = np.divmod(step, self.resolution)
        first = np.searchsorted(self.metres[:, 0], start, side="right") - 1
        metres = self.metres[first:][self.metres[first:, 0] < stop].copy()
        metres[:, 0] += to - start
        metres[0, 0] = to
        return notes, metres


def medley(one: Known, other: Known, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """The beginning of a song and the end of another, joined at a downbeat; half the time one to three beats early."""
    downbeats = [song.downbeats() for song in (one, other)]
    downbeats = [at[at >= 0] for at in downbeats]
    if min(map(len, downbeats)) < 12:
        return None
    cut, start = (int(at[rng.integers(len(at) // 3, 2 * len(at) // 3)]) for at in downbeats)
    cut -= int(rng.integers(1, 4)) * one.resolution * int(rng.integers(2))
    begun, metres = one.part(int(one.metres[0, 0]), cut, int(one.metres[0, 0]))
    ended, more = other.part(start, int(other.step[-1]) + 1, cut)
    same = tuple(metres[-1, 1:]) == tuple(more[0, 1:])
    bar = metres[-1, 1] * 4 * one.resolution // metres[-1, 2]
    if cut <= metres[-1, 0] or not len(begun) or not len(ended):
        return None
    if same and (cut - metres[-1, 0]) % bar == 0:
        more = more[1:]
    return np.concatenate([begun, ended]), np.concatenate([metres, more])


def scaled(song: Known, doubled: bool) -> Known | None:
    """The same in notes twice or half as long, such as 3/4 in 3/2 or 3/8; None if bars or notes are too long or short.

    Half as long they are by counting twice as many steps a beat.
    """
    numerator, denominator = song.metres[:, 1], song.metres[:, 2]
    bar = 16 * numerator / denominator * (2 if doubled else 0.5)
    if not np.isin(bar, LENGTHS).all() or (doubled and (denominator == 1).any()):
        return None
    factor, resolution = (2, song.resolution) if doubled else (1, 2 * song.resolution)
    if not doubled and np.mean(song.step % (song.resolution // 2) != 0) > FINE:
        return None
    step, metres, notes = song.step * factor, song.metres.copy(), song.notes.copy()
    metres[:, 0] *= factor
    metres[:, 2] = denominator // 2 if doubled else denominator * 2
    notes[:, DURATION] *= factor
    notes[:, BEAT], notes[:, POSITION] = np.divmod(step, resolution)
    return Known(step, notes, metres, resolution)


def near_duplicates(folders: Sequence[Path]) -> dict[tuple[str, str], str]:
    """Group of each song, (data set, name), that is nearly another one of any of the data sets."""
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place)
        (whole / "notes").mkdir()
        names = []
        for folder in folders:
            (whole / "notes" / folder.name).symlink_to((folder / "notes").resolve())
            names += [f"{folder.name}/{name}" for name in open_dataset(folder).names]
        found = find_duplicates(whole, names, open_dataset(folders[0]).resolution, 2**29)
    songs = [(row.song.partition("/"), row.group) for row in found]
    return {(folder, name): group for (folder, _, name), group in songs}


def read(folder: Path) -> tuple[dict[str, Known], dict[str, Known]]:
    """Songs of a data set whose metre is known, by name, and those held out."""
    data, metres = open_dataset(folder), read_metres(folder)
    names = [name for name in data.names if metres.get(name)]
    held = set(held_out(names))
    both: tuple[dict[str, Known], dict[str, Known]] = ({}, {})
    for name in names:
        notes = data.notes(name)
        step = notes[:, BEAT] * data.resolution + notes[:, POSITION]
        both[name in held][name] = Known(step, notes, np.array(metres[name]), data.resolution)
    return both


def with_medleys(songs: list[Known], rng: np.random.Generator) -> list[Lesson]:
    """Of all songs, and of medleys of a third as many pairs, half of them with themselves."""
    found = [(song.notes, song.metres) for song in songs]
    for one, other in rng.integers(len(songs), size=(len(songs) // 3, 2)):
        joined = medley(songs[one], songs[one if rng.integers(2) else other], rng)
        found += [joined] if joined else []
    return lessons(found, songs[0].resolution)


def in_other_values(songs: list[Known], rng: np.random.Generator) -> list[Lesson]:
    """A third of the songs, in notes twice as long, and another, half as long."""
    found = []
    for doubled in (True, False):
        chosen = rng.permutation(len(songs))[: -(-len(songs) // 3)]
        other = [song for number in chosen if (song := scaled(songs[number], doubled))]
        found += with_medleys(other, rng) if other else []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="data sets that ingest made")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file of weights to write")
    arguments = parser.parse_args()
    taught: list[list[Lesson]] = []
    checked: list[list[Lesson]] = []
    rng = np.random.default_rng(0)
    groups = near_duplicates(arguments.folders)
    both = {folder.name: read(folder) for folder in arguments.folders}
    kept_out = {groups.get((folder, name)) for folder, (_, theirs) in both.items() for name in theirs} - {None}
    for folder, (every, theirs) in both.items():
        ours = [song for name, song in every.items() if groups.get((folder, name)) not in kept_out]
        taught.append(with_medleys(ours, rng) + in_other_values(ours, rng))
        checked.append(with_medleys(list(theirs.values())[:: max(len(theirs) // CHECKED, 1)], rng))
        left_out = len(every) - len(ours)
        print(f"{folder}: {len(ours)} songs, {left_out} near-duplicates left out, {len(theirs)} held out", flush=True)
    fit(taught, checked, arguments.epochs, arguments.channels, arguments.out)


if __name__ == "__main__":
    main()
