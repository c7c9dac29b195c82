"""Stage: evaluated runs side by side: L0, FVU and what they cost the model, in one table and one picture."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from music_interpret import files, paths
from music_interpret.config import CheckedConfig, positional
from music_interpret.errors import InputError
from music_interpret.runs.run import Run

# Okabe & Ito's palette, which people with any kind of colour vision can distinguish; markers differ too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"


@dataclass(frozen=True, kw_only=True)
class CompareConfig(CheckedConfig):
    """Print and plot what several evaluated runs reach: fewer latents, a closer reconstruction, a smaller loss."""

    runs: tuple[str, ...] = positional()
    """Run folders, as other commands take them; each must have been evaluated on the same split."""
    output: str | None = None
    """Folder for `comparison.json`, `.csv` and `.png`; `reports/comparison` if not given."""


class Point(NamedTuple):
    """One run in the comparison; all numbers are in its `evaluation.json`."""

    run: str
    """Its folder."""
    architecture: str
    """How it was trained."""
    token_baseline: bool
    """Whether it has one."""
    model: str
    """Data set and folder of the model."""
    layer: int
    """Layer of the model."""
    d_sae: int
    """Number of latents."""
    l0: float
    """Mean number of firing latents per token."""
    fvu: float
    """Fraction of variance unexplained; NaN where all tokens are the same."""
    over_clean: float
    """Nats per token that the model loses."""
    recovered_mean: float | None
    """Loss recovered against mean ablation."""
    recovered_zero: float | None
    """Loss recovered against zero ablation."""
    kl: float
    """Divergence from the clean model, nats per token."""
    dead: float
    """Fraction of latents that never fire."""
    mean_ablation: float
    """Nats per token that mean ablation costs."""


def compare(config: CompareConfig) -> Path:
    """Run the stage and return the folder with the comparison.

    Raises:
        InputError: a run was not evaluated, or runs were evaluated on different songs.
    """
    folders = list(dict.fromkeys(paths.find_run(run) for run in config.runs))
    evaluations = [Run(folder).evaluation for folder in folders]
    for folder, evaluation in zip(folders, evaluations, strict=True):
        _check_same_songs(folder, evaluation, folders[0], evaluations[0])
    points = sorted(map(point_of, folders, evaluations), key=lambda p: (line_of(p), p.l0))
    output = Path(config.output) if config.output else paths.home() / "reports" / "comparison"
    files.write_json(output / "comparison.json", [point._asdict() for point in points])
    files.write_text(output / "comparison.csv", to_csv(points))
    files.write_bytes(
        output / "comparison.png", to_png(points, pca_points(folders, evaluations), evaluations[0]["split"])
    )
    print(table(points))
    print(f"comparison → {output / 'comparison.png'}")
    return output


def _check_same_songs(run: Path, evaluation: dict[str, Any], first: Path, of_first: dict[str, Any]) -> None:
    if evaluation["split"] != of_first["split"]:
        splits = f"the {evaluation['split']} split, not on the {of_first['split']} split"
        raise InputError(f"{run} was evaluated on {splits} as {first}; expected the same split for all")
    for key in ("codes_sha256", "songs_sha256"):
        if evaluation["activations"][key] != of_first["activations"][key]:
            raise InputError(
                f"{run} was evaluated on other songs than {first} ({key} differs); expected the same songs"
            )


def point_of(run: Path, evaluation: dict[str, Any], row: str = "sae") -> Point:
    """What the comparison shows of one evaluated run: of the autoencoder or of another row."""
    quality, losses = (evaluation["rows"][row][part] for part in ("quality", "losses"))
    return Point(
        run=str(run),
        architecture=evaluation["architecture"],
        token_baseline=evaluation["token_baseline"],
        model=f"{evaluation['dataset_name']} {evaluation['data_repr']}",
        layer=evaluation["layer"],
        d_sae=evaluation["d_sae"],
        l0=_number(quality["l0"]),
        fvu=_number(quality["fvu"]),
        over_clean=_number(losses["over_clean"]["total"]),
        recovered_mean=losses["recovered_mean"]["total"],
        recovered_zero=losses["recovered_zero"]["total"],
        kl=_number(losses["kl"]["total"]),
        dead=_number(quality["dead"]),
        mean_ablation=_number(evaluation["rows"]["mean_ablation"]["losses"]["over_clean"]["total"]),
    )


def _number(value: float | None) -> float:
    """A measured number; NaN is null in JSON."""
    return math.nan if value is None else value


def pca_points(folders: Sequence[Path], evaluations: Sequence[dict[str, Any]]) -> list[Point]:
    """PCA with as many coefficients, from the runs that were evaluated with controls; none where layers differ."""
    if len({(e["dataset_name"], e["data_repr"], e["layer"]) for e in evaluations}) > 1:
        return []
    both = zip(folders, evaluations, strict=True)
    return sorted((point_of(run, e, "pca") for run, e in both if "pca" in e["rows"]), key=lambda point: point.l0)


class Line(NamedTuple):
    """What the points on one line of the picture share."""

    architecture: str
    token_baseline: bool
    model: str
    layer: int
    d_sae: int


def line_of(point: Point) -> Line:
    """The line that a point is on."""
    return Line(*(getattr(point, name) for name in Line._fields))


def name_of(line: Line) -> str:
    """How the autoencoders of a line were trained."""
    return line.architecture + (" + token baseline" if line.token_baseline else "")


def table(points: Sequence[Point]) -> str:
    """The points as text, line by line of the picture."""
    width = max(len(point.run) for point in points)
    head = f"{'L0':>6} {'FVU':>6} {'over clean':>11} {'vs mean':>8} {'vs zero':>8} {'KL':>7} {'dead':>6}"
    lines = [f"{'run':<{width}}  {'architecture':<27} {head}"]
    for p in points:
        shares = ("–" if share is None else f"{share:.1%}" for share in (p.recovered_mean, p.recovered_zero))
        fvu = "–" if math.isnan(p.fvu) else f"{p.fvu:.3f}"
        numbers = f"{p.l0:6.1f} {fvu:>6} {p.over_clean:+11.3f} " + " ".join(f"{share:>8}" for share in shares)
        lines.append(f"{p.run:<{width}}  {name_of(line_of(p)):<27} {numbers} {p.kl:7.3f} {p.dead:6.1%}")
    lines.append("over clean and KL in nats per token; vs mean, vs zero: fraction of those ablations' loss recovered")
    return "\n".join(lines)


def to_csv(points: Sequence[Point]) -> str:
    """The points with a line of names above them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Point._fields)
    writer.writerows(points)
    return text.getvalue()


def to_png(points: Sequence[Point], pca: Sequence[Point], split: str) -> bytes:
    """The picture: L0 against FVU and against nats over clean, a line for each architecture, dashed with a token
    baseline; PCA in grey.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    titles = ("Reconstruction", "What it costs the model")
    names = ("FVU (fraction of variance unexplained)", "nats per token over the clean model")
    for axes, field, title, name in zip(panels, ("fvu", "over_clean"), titles, names, strict=True):
        _draw(axes, points, pca, field)
        axes.set(title=title, xlabel="L0 (latents firing on a token)", ylabel=name, xscale="log")
        axes.set_ylim(bottom=min(0.0, *(getattr(point, field) for point in points)))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    _recovered_axis(panels[1], points)
    panels[0].legend(frameon=False)
    figure.suptitle(f"Sparse autoencoders on {split} songs: lower and further left is better")
    canvas, content = FigureCanvasAgg(figure), io.BytesIO()
    canvas.print_png(content, metadata={"Software": None})
    return content.getvalue()


def _draw(axes: Any, points: Sequence[Point], pca: Sequence[Point], field: str) -> None:
    """One panel's lines."""
    lines = list(dict.fromkeys(map(line_of, points)))
    architectures = list(dict.fromkeys(line.architecture for line in lines))
    if pca:
        ys = [getattr(point, field) for point in pca]
        axes.plot([point.l0 for point in pca], ys, color="0.6", marker=".", linestyle=":", label="PCA")
    for line in lines:
        mine = [point for point in points if line_of(point) == line]
        place = architectures.index(line.architecture)
        axes.plot(
            [point.l0 for point in mine],
            [getattr(point, field) for point in mine],
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            linestyle="--" if line.token_baseline else "-",
            markerfacecolor="white" if line.token_baseline else None,
            label=_label(line, lines),
        )


def _recovered_axis(axes: Any, points: Sequence[Point]) -> None:
    """A second scale with loss recovered against mean ablation, where that costs all runs the same."""
    cost = points[0].mean_ablation
    if cost > 0 and all(abs(point.mean_ablation - cost) < 1e-3 * cost for point in points):
        share = axes.secondary_yaxis("right", functions=(lambda nats: 1 - nats / cost, lambda s: (1 - s) * cost))
        share.set_ylabel("loss recovered against mean ablation")


def _label(line: Line, lines: Sequence[Line]) -> str:
    """A line's name in the picture: its architecture, and of the rest what differs between lines."""
    parts = [name_of(line)]
    for field, form in (("model", "{}"), ("layer", "layer {}"), ("d_sae", "{:,} latents")):
        if len({getattr(other, field) for other in lines}) > 1:
            parts.append(form.format(getattr(line, field)))
    return ", ".join(parts)


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("compare")
