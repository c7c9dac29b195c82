"""Stage: read the features of an indexed run as text (`music-interpret features`), at once: it needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from music_interpret.config import CheckedConfig, NonNegativeInt, PositiveInt, positional
from music_interpret.features.index import QUANTILES, FeatureIndex
from music_interpret.features.label_words import described, followers
from music_interpret.features.reading import examples, to_text
from music_interpret.runs.run import Run, open_run


@dataclass(frozen=True, kw_only=True)
class BrowseConfig(CheckedConfig):
    """List the latents of a run with their top tokens, or show one latent's top tokens in context."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    latent: NonNegativeInt | None = None
    """Show this latent's top tokens in context; without it, latents are listed."""
    top: PositiveInt = 10
    """How many top tokens to show of a latent."""
    context: NonNegativeInt = 5
    """How many tokens to show before and after each top token."""
    per_song: PositiveInt | None = None
    """At most this many top tokens of one song."""
    sort: Literal["density", "max", "mean"] = "max"
    """What latents are listed by, largest first."""
    limit: PositiveInt = 20
    """How many latents to list."""
    concept: str | None = None
    """List the latents that follow this concept best, such as "leading tone" or "chord quality: minor"; the run must
    be labelled.
    """


def browse(config: BrowseConfig) -> None:
    """Print a list of latents, or one latent's top tokens.

    Raises:
        InputError: no such run, latent or concept, or no index or labels.
    """
    run = open_run(config.run)
    if config.concept is not None:
        print(followers(run.labels, config.concept, config.limit))
    elif config.latent is None:
        print(list_latents(run.index, run.names, config))
    else:
        print(show_latent(run, config.latent, config))


def list_latents(index: FeatureIndex, names: Mapping[int, dict[str, Any]], config: BrowseConfig) -> str:
    """A table of live latents, largest first by `config.sort`, with their names or else their top tokens in short."""
    statistics = index.statistics
    key = getattr(statistics, config.sort)
    order = np.argsort(-key, kind="stable")
    live = int((statistics.density > 0).sum())
    rows = [
        f"{live:,} of {index.d_sae:,} latents fire; by {config.sort}:",
        " latent  density      max     mean  name and top tokens",
    ]
    for latent in order[: min(config.limit, live)].tolist():
        tokens, _ = index.top(latent, 5, per_song=1)
        words = ", ".join(index.activations.scheme.short(index.activations.tokens[tokens]))
        density, largest, mean = (column[latent] for column in (statistics.density, statistics.max, statistics.mean))
        name = names.get(latent, {}).get("name")
        rows.append(f"{latent:7d} {density:8.3%} {largest:8.3f} {mean:8.3f}  {f'{name}: ' if name else ''}{words}")
    return "\n".join(rows)


def show_latent(run: Run, latent: int, config: BrowseConfig) -> str:
    """A latent's statistics, its name, and its top tokens in context."""
    index, names = run.index, run.names
    token_rows, _ = index.latent(latent)
    statistics = index.statistics
    head = f"latent {latent}: fires on {len(token_rows):,} of {index.meta['n_tokens']:,} tokens"
    if not len(token_rows):
        return f"{head}; it is dead"
    quantiles = ", ".join(f"{q:.0%} {v:.3f}" for q, v in zip(QUANTILES, statistics.quantiles[latent], strict=True))
    density, largest, mean = (column[latent] for column in (statistics.density, statistics.max, statistics.mean))
    numbers = f"density {density:.3%}, max {largest:.3f}, mean {mean:.3f}, quantiles {quantiles}"
    found = examples(index, latent, config.top, config.context, per_song=config.per_song)
    label = f"\n{described(names[latent], run.reliability)}" if latent in names else ""
    return "\n\n".join(
        [f"{head}\n{numbers}{label}", *(to_text(example, rank) for rank, example in enumerate(found, start=1))]
    )


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("features")
