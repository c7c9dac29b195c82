"""Fit the weights of chords, keys, inversions, cadences and phrases on experts' analyses.

    python3 benchmarks/_fit_harmony.py FOLDER      # of DCML corpora, a folder each; about 15 minutes on one core

Networks learn to name what the expert says at an onset from its context. One piece in eight is left out of that and
chooses how much a network counts against the cost of a change, and from which score on a cadence or phrase counts. The
corpora that `benchmarks/harmony.py` reports on are never read.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from _expert_scores import FITTED, Labels, Piece, labels_of, read_corpus, songs_of

from music_interpret.music import segmentation
from music_interpret.music.chord_context import UNIT, Context, context
from music_interpret.music.chord_segments import INVERSIONS, SEGMENT_QUALITIES, kinds
from music_interpret.music.chords import TEMPLATES
from music_interpret.music.closure import CADENCES, NEAR_BEATS, OUTPUTS, peaks, signs
from music_interpret.music.concepts.concept import NONE
from music_interpret.music.key_segments import key_segments
from music_interpret.music.keys import MODES
from music_interpret.music.segmentation import SCALE, SCORE, Network, path_of, scores_at
from music_interpret.music.songs import Songs

EPOCHS, BATCH, LEARNING_RATE, SMOOTHING = 8, 512, 3e-3, 0.05
PART_OF_EPOCH = 0.6
"""Onsets that follow each other are much alike."""
HIDDEN = {"chords": 48, "keys": 24, "inversions": 16, "closure": 32}
DEV = 8
TEXTBOOK_VOICINGS = 120
"""Of each inversion of each chord."""
TOLERANCE = 0.003
"""Of settings that agree as well as this with the best one, that which changes most nearly as often as the expert."""
EMISSIONS, OFFSETS = (0.3, 0.5, 1.0, 1.5, 2.5, 4.0), (-2.0, -1.0, 0.0, 1.0)
Loss = Callable[[torch.Tensor, np.ndarray], torch.Tensor]


class Onsets(NamedTuple):
    """Onsets of all pieces, (n_groups, …)."""

    songs: Songs
    around: Context
    labels: Labels
    """Of each onset's first note."""
    song: np.ndarray
    weight: np.ndarray
    """Notes that begin there, float32."""
    dev: np.ndarray
    """Whether the piece is left out of the fit."""


def onsets_of(pieces: list[Piece]) -> Onsets:
    songs = songs_of(pieces)
    first = songs.group_first[:-1]
    labels = Labels(*(column[first] for column in labels_of(pieces)))
    song = songs.song[first]
    weight = np.diff(songs.group_first).astype(np.float32)
    dev = (song % DEV == DEV - 1) & (labels.local != NONE)  # not of textbook chords
    return Onsets(songs, songs.once(context), labels, song, weight, dev)


def textbook_pieces() -> list[Piece]:
    """Chords alone, in all inversions and many voicings: experts' scores hardly have the rarer kinds by themselves."""
    rng = np.random.default_rng(0)
    found = []
    for quality, name in enumerate(SEGMENT_QUALITIES):
        whole = TEMPLATES[name][0]
        for inversion in np.tile(np.arange(len(whole)), TEXTBOOK_VOICINGS).tolist():
            bass = int(rng.integers(36, 60))
            root = (bass - whole[inversion]) % 12
            above = bass + 1 + rng.permutation(24)
            in_chord = above[np.isin((above - root) % 12, whole)]
            others = [next(pitch for pitch in in_chord if (pitch - root) % 12 == interval) for interval in whole]
            pitches = sorted({bass, *others, *in_chord[: rng.integers(0, 3)].tolist()})
            steps = int(rng.choice([6, 12, 24, 48]))
            notes = np.array([[0, 0, pitch, steps, 0] for pitch in pitches])
            values = (root, quality, inversion, NONE, NONE, NONE, NONE, NONE, 0)
            labels = Labels(*(np.full(len(notes), value) for value in values))
            found.append(Piece(name, notes, [[0, 4, 4]], labels))
    return found


class Trainable(torch.nn.Module):
    """A `segmentation.Network` in floating point."""

    def __init__(self, blocks: int, scalars: int, hidden: int, types: int) -> None:
        super().__init__()
        self.hidden, self.n_types = hidden, types
        self.classes = torch.nn.Parameter(torch.randn(blocks, 12, hidden) * 0.05)
        self.scalars = torch.nn.Parameter(torch.randn(scalars, hidden) * 0.05)
        self.types = torch.nn.Parameter(torch.randn(hidden, types) * 0.1)
        self.bias = torch.nn.Parameter(torch.zeros(types))

    def everywhere(self, classes: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
        """As `segmentation.all_scores`."""
        turned = torch.stack([torch.roll(self.classes, tonic, 1) for tonic in range(12)], dim=2)
        hidden = (classes.flatten(1) @ turned.reshape(-1, 12 * self.hidden)).view(-1, 12, self.hidden)
        hidden = torch.relu(hidden + (scalars @ self.scalars)[:, None])
        return (hidden @ self.types + self.bias).flatten(1)

    def here(self, heard: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
        """As `segmentation.scores_at`, of contexts that are heard from their tonics."""
        hidden = torch.relu(heard.flatten(1) @ self.classes.flatten(0, 1) + scalars @ self.scalars)
        return hidden @ self.types + self.bias

    def whole(self, change: np.ndarray, emission: float = 1.0) -> Network:
        """The weights as whole numbers, scores multiplied by `emission`."""
        parts = (
            self.classes * SCALE,
            self.scalars * SCALE,
            self.types * SCALE * emission,
            self.bias * SCORE * emission,
        )
        classes, scalars, types, bias = (np.rint(part.detach().numpy()) for part in parts)
        return Network(classes, scalars, types, bias, np.rint(change * SCALE).astype(np.float32))


def train(network: Trainable, chosen: np.ndarray, loss_of: Callable[[np.ndarray], torch.Tensor]) -> None:
    """Lower `loss_of` batches of the chosen rows."""
    rng = np.random.default_rng(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    size = int(len(chosen) * PART_OF_EPOCH) // BATCH * BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * size // BATCH)
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in rng.permutation(chosen)[:size].reshape(-1, BATCH):
            loss = loss_of(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"  epoch {epoch}: loss {total / (size // BATCH):.4f}", flush=True)


def batch(part: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(part[rows] / np.float32(UNIT))


def fit_path(onsets: Onsets, state: np.ndarray, hidden: int, types: int) -> Network:
    """A network and the cost of changes for states tonic * types + type, -1 where unknown."""
    torch.manual_seed(0)
    known = state != NONE
    network = Trainable(onsets.around.classes.shape[1], onsets.around.scalars.shape[1], hidden, types)
    target, weight = torch.from_numpy(state), torch.from_numpy(onsets.weight)

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        logits = network.everywhere(batch(onsets.around.classes, rows), batch(onsets.around.scalars, rows))
        each = torch.nn.functional.cross_entropy(logits, target[rows], reduction="none", label_smoothing=SMOOTHING)
        return (each * weight[rows]).mean()

    train(network, np.flatnonzero(known & ~onsets.dev), loss_of)
    change = change_weights(onsets, state)
    rows = np.flatnonzero(onsets.dev)
    around = Context(*(part[rows] for part in onsets.around))
    sizes = np.bincount(onsets.song[rows])
    theirs = float(np.mean(np.diff(state[rows]) != 0))
    tried: list[tuple[float, float, Network]] = []
    for emission in EMISSIONS:
        for offset in OFFSETS:
            shifted = change.copy()
            shifted[-1] += offset  # of the scalar that is always 1
            whole = network.whole(shifted, emission)
            path = path_of(around, sizes, whole)
            kept = known[rows]
            agreement = float(np.average((path == state[rows])[kept], weights=onsets.weight[rows][kept]))
            changes = float(np.mean(np.diff(path) != 0))
            print(f"  × {emission}, {offset:+}: {agreement:.4f}, changes {changes:.4f}, the expert's {theirs:.4f}")
            tried.append((agreement, abs(changes - theirs), whole))
    enough = max(agreement for agreement, _, _ in tried) - TOLERANCE
    return min((one for one in tried if one[0] >= enough), key=lambda one: one[1])[2]


def change_weights(onsets: Onsets, state: np.ndarray) -> np.ndarray:
    """Logit of a change by the scalars of its onset, by logistic regression."""
    pairs = np.flatnonzero((state[1:] != NONE) & (state[:-1] != NONE) & (onsets.song[1:] == onsets.song[:-1])) + 1
    pairs = pairs[~onsets.dev[pairs]]
    scalars = batch(onsets.around.scalars, pairs)
    target = torch.from_numpy((state[pairs] != state[pairs - 1]).astype(np.float32))
    weights = torch.zeros(scalars.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scalars @ weights, target)
        loss = loss + 1e-4 * (weights**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach().numpy()


def fit_here(
    onsets: Onsets, tonic: np.ndarray, more: np.ndarray, chosen: np.ndarray, hidden: int, types: int, loss: Loss
) -> Trainable:
    """A network that is heard from one tonic at each onset."""
    torch.manual_seed(0)
    scalars = np.concatenate([onsets.around.scalars, more], axis=1)
    network = Trainable(onsets.around.classes.shape[1], scalars.shape[1], hidden, types)

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        heard = segmentation.heard_from(onsets.around.classes[rows], tonic[rows])
        return loss(network.here(torch.from_numpy(heard / np.float32(UNIT)), batch(scalars, rows)), rows)

    train(network, chosen, loss_of)
    return network


def fit_inversions(onsets: Onsets) -> Network:
    labels = onsets.labels
    known = (labels.root != NONE) & (labels.quality != NONE) & (labels.inversion != NONE)
    target, weight = torch.from_numpy(labels.inversion), torch.from_numpy(onsets.weight)

    def loss(logits: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        each = torch.nn.functional.cross_entropy(logits, target[rows], reduction="none")
        return (each * weight[rows]).mean()

    root, more = np.maximum(labels.root, 0), kinds(labels.quality)
    chosen = np.flatnonzero(known & ~onsets.dev)
    network = fit_here(onsets, root, more, chosen, HIDDEN["inversions"], len(INVERSIONS), loss).whole(np.zeros(0))
    rows = np.flatnonzero(known & onsets.dev)
    found = scores_at(Context(*(part[rows] for part in onsets.around)), root[rows], more[rows], network).argmax(axis=1)
    print(f"  {np.average(found == labels.inversion[rows], weights=onsets.weight[rows]):.4f} with the expert's chords")
    return network


def fit_closure(onsets: Onsets, corpus: np.ndarray) -> Network:
    """Cadences are learned from the corpora that have some, phrases from the pieces that have some."""
    labels, songs = onsets.labels, onsets.songs
    target = np.concatenate(
        [
            labels.cadence[:, None] == np.arange(len(CADENCES)),
            np.stack([labels.phrase_end, labels.phrase_start], axis=1) == 1,
        ],
        axis=1,
    )
    has_cadences = np.isin(corpus, corpus[labels.cadence != NONE])
    has = np.stack([has_cadences] * len(CADENCES) + [labels.phrase_end != NONE] * 2, axis=1)
    targets, masks = (torch.from_numpy(part.astype(np.float32)) for part in (target, has))

    def loss(logits: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets[rows], reduction="none")
        return (each * masks[rows]).sum(dim=1).mean()

    tonic, more = songs.once(key_segments) % 12, signs(songs)
    trained = fit_here(onsets, tonic, more, np.flatnonzero(~onsets.dev), HIDDEN["closure"], len(OUTPUTS), loss)
    network = trained.whole(np.zeros(0))
    rows = np.flatnonzero(onsets.dev)
    scores = scores_at(Context(*(part[rows] for part in onsets.around)), tonic[rows], more[rows], network)
    time = songs.time[songs.group_first[:-1]][rows]
    for number, name in enumerate(OUTPUTS):
        found = {
            threshold: f1(peaks(scores[:, number], time, NEAR_BEATS * songs.resolution)
                          & (scores[:, number] > threshold * SCORE), target[rows, number], has[rows, number])
            for threshold in np.arange(-3, 2, 0.25).tolist()
        }  # fmt: skip
        threshold = max(found, key=lambda value: found[value])
        print(f"  {name}: F1 {found[threshold]:.3f} from {threshold} on")
        network.bias[number] -= round(threshold * SCORE)
    return network


def f1(found: np.ndarray, expected: np.ndarray, known: np.ndarray) -> float:
    both = np.sum(found & expected & known)
    return float(2 * both / max(np.sum(found & known) + np.sum(expected & known), 1))


def write_network(name: str, network: Network) -> None:
    path = Path(segmentation.__file__).parent / "weights" / f"{name}.npz"
    arrays = {field: part.astype(np.int16) for field, part in network._asdict().items()}
    for field, part in network._asdict().items():
        if not np.array_equal(arrays[field], part):
            raise ValueError(f"{name}: {field} reaches {np.abs(part).max()}; expected less than 32768")
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"  {path.name}: {path.stat().st_size:,} bytes", flush=True)


def main(folder: Path) -> None:
    corpora = [read_corpus(folder / name) for name in FITTED]
    onsets = onsets_of([piece for pieces in corpora for piece in pieces] + textbook_pieces())
    labels = onsets.labels
    print("chords")
    known = (labels.root != NONE) & (labels.quality != NONE)
    state = np.where(known, labels.root * len(SEGMENT_QUALITIES) + labels.quality, NONE)
    write_network("chords", fit_path(onsets, state, HIDDEN["chords"], len(SEGMENT_QUALITIES)))
    print("keys")
    state = np.where(labels.local != NONE, labels.local % 12 * len(MODES) + labels.local // 12, NONE)
    write_network("keys", fit_path(onsets, state, HIDDEN["keys"], len(MODES)))
    print("inversions")
    write_network("inversions", fit_inversions(onsets))
    print("closure")
    corpus = np.repeat(np.arange(len(corpora)), list(map(len, corpora)))
    corpus = np.append(corpus, np.full(onsets.songs.n_songs - len(corpus), NONE))[onsets.song]
    write_network("closure", fit_closure(onsets, corpus))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
