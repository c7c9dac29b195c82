"""Stage: a run's best features as one HTML file that opens anywhere, with its pictures and sound in it.

The file asks for nothing: no server, no network. Its own content-security policy allows the one script that it holds,
by the script's hash, and sound and pictures that are in the file.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tqdm import tqdm

from music_interpret import __version__, files
from music_interpret.config import CheckedConfig, matching, option, positional, within
from music_interpret.errors import InputError
from music_interpret.explorer import bundle
from music_interpret.explorer.embedded import sounds
from music_interpret.explorer.feature import feature
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.overview import overview
from music_interpret.features.label_words import best_names
from music_interpret.music import sound
from music_interpret.runs.run import open_run

CHOICE = matching(
    r"best:[1-9][0-9]{0,8}|named|[0-9]{1,9}(,[0-9]{1,9})*", "best:50, named, or numbers with commas as in 3,112"
)
WEAKER = 4
"""Firings from strong to weak that are shown of each latent, without sound."""
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, kw_only=True)
class ReportConfig(CheckedConfig):
    """Write the features of an indexed run into one HTML file, with their music as pictures and sound, to send or to
    put alongside a paper.
    """

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    latents: Annotated[str, CHOICE] = "best:50"
    """Which latents: best:50 for the fifty best names, where half say more than the token itself does; named for all
    that have a name; or numbers with commas, as in 3,112. Without labels, best:50 takes the strongest.
    """
    output: str | None = option(short="-o", default=None)
    """File to write; without it, `report.html` in the run's folder."""
    examples: Annotated[int, within(1, 50)] = 3
    """How many of each latent's strongest firings to show, with sound, one of each song."""
    sound: bool = True
    """Put the sound of the strongest firings into the file; it is most of its size."""


def report(config: ReportConfig) -> Path:
    """Write the report and return its path.

    Raises:
        InputError: no such run or latent, no index, or no labels where names are wanted.
    """
    run = open_run(config.run)
    output = Path(config.output) if config.output else run.folder / "report.html"
    if output.is_dir():
        raise InputError(f"{output} is a folder; expected a file for --output")
    explored = Explored(run)
    latents, choice = chosen(explored, config.latents)
    shown: list[dict[str, Any]] = []
    heard: dict[str, str] = {}
    for latent in tqdm(latents, "report", unit="latent"):
        found = shortened(dict(feature(explored, latent, config.examples)))
        shown.append(found)
        strongest = [excerpt for group in found["examples"] if group["kind"] == "top" for excerpt in group["excerpts"]]
        if config.sound:
            heard |= sounds(explored, strongest, n_without=1)
    problem = sound.font_problem() if config.sound else None
    facts = overview(explored, []) | {"notices": [problem] if problem else []}
    data = {"version": __version__, "run": facts, "choice": choice, "latents": shown, "sounds": heard}
    files.write_text(output, page_of(data))
    if problem:
        print(f"note: {problem}")
    print(f"report: {choice}, {output.stat().st_size / 1e6:.1f} MB → {output}")
    return output


def chosen(explored: Explored, latents: str) -> tuple[list[int], str]:
    """The latents that `--latents` means, and a sentence that says which they are."""
    live = np.flatnonzero(explored.index.statistics.density > 0)
    names = list(explored.run.names.values())
    kind, _, count = latents.partition(":")
    if kind == "best":
        found = [name["latent"] for name in best_names(names, int(count))]
        if found:
            return found, f"the {len(found)} best named of {len(live):,} live latents"
        why = "no latent has a name" if names else "the run has no labels"
        strongest = live[np.argsort(-explored.index.statistics.max[live], kind="stable")][: int(count)]
        return strongest.tolist(), f"the {len(strongest)} strongest of {len(live):,} live latents ({why})"
    if kind == "named":
        named = [name for name in names if name["name"] is not None]
        if not named:
            raise InputError(
                f"no latent of {explored.title} has a name; music-interpret label {explored.title} finds them"
            )
        named.sort(key=lambda name: -name["mcc_interval"][0])
        return [name["latent"] for name in named], f"all {len(named)} named latents, the best first"
    found = list(dict.fromkeys(explored.run.check_latent(int(word)) for word in latents.split(",")))
    return found, f"{len(found)} of {len(live):,} live latents"


def shortened(found: dict[str, Any]) -> dict[str, Any]:
    """A feature without what the report does not show."""
    for group in found["examples"]:
        if group["kind"] == "quantiles":
            excerpts = group["excerpts"]
            places = np.unique(np.linspace(0, len(excerpts) - 1, WEAKER).round().astype(int))
            group["excerpts"] = [excerpts[i] for i in places.tolist()]
    found["examples"] = [group for group in found["examples"] if group["kind"] in ("top", "quantiles")]
    del found["labels"]
    return found


def page_of(data: dict[str, Any]) -> str:
    """The HTML file of a report's data."""
    script = f"\n{bundle.script_text(bundle.joined('report.js'))}"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; media-src data:; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    values = {
        "policy": policy,
        "title": escape(f"Features of {data['run']['run']}"),
        "style": bundle.script_text(bundle.static("views/style.css") + bundle.static("report.css")),
        "data": bundle.script_json(data),
        "script": script,
    }
    return PLACEHOLDER.sub(lambda match: values[match[1]], bundle.static("report.html"))


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("report")
