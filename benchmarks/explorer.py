"""How fast the explorer answers, and how much memory its server takes, with 2,048 latents and a million tokens.

The demo's indexed and labelled run, its songs repeated until there are a million tokens. The server is the command
`explore` in a process of its own. Latencies are of a client on the same machine; each latent, song and excerpt is asked
for once, so nothing is answered from the server's memory, but for the load: many clients at once, each asking for what
a person would (features, songs, sounds, own labels) about once a second; and once more without a pause. Pages are timed
in a headless Chromium, from the start of the navigation until the table, or the first example, is drawn.

    python3 benchmarks/explorer.py [--home FOLDER] [--tokens 1000000] [--clients 50] [--seconds 60] [--quick]
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import music21
import numpy as np
import psutil
import symusic
from _measuring import ROOT, indexed, prepare, run_benchmark, trained_run

from music_interpret import demo, files, paths
from music_interpret.activations.store import MANIFEST, TOKENS
from music_interpret.config import CheckedConfig, PositiveFloat, PositiveInt
from music_interpret.features.index import Chunk, build
from music_interpret.label import LabelConfig, label
from music_interpret.music.metres import read_metres, write_metres
from music_interpret.music.scores import read_works
from music_interpret.runs.run import Run

CHROMIUM = "/usr/bin/chromium"
CHORALE = Path(music21.__file__).parent / "corpus" / "bach" / "bwv66.6.mxl"


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Time the explorer."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data and its run are stored, or made."""
    tokens: PositiveInt = 1_000_000
    """Tokens of the run that is explored."""
    requests: PositiveInt = 300
    """Requests of each kind."""
    pages: PositiveInt = 10
    """Loads of each page."""
    clients: PositiveInt = 50
    """Clients at once."""
    seconds: PositiveFloat = 60.0
    """How long they ask."""
    quick: bool = False
    """The demo's own tokens, few requests, nothing kept in results/; for tests."""


def large_run(run: Run, times: int) -> Path:
    """A home whose run `large/sae` has the same songs several times over."""
    root, store, index = paths.home() / f"explorer-{times}", run.activations, run.index
    if (root / "finished").is_file():
        return root
    shutil.rmtree(root, ignore_errors=True)
    names = [name if i == 0 else f"{name}.{i}" for i in range(times) for name in store.songs.names]
    folder = root / "data" / "activations" / store.folder.name
    folder.mkdir(parents=True)
    store.scheme.save(folder)
    tokens = np.tile(np.asarray(store.tokens), (times, 1))
    files.write_array(folder / TOKENS, tokens)
    n = np.tile(store.songs.n_tokens, times)
    songs = store.songs._replace(
        names=names, first_token=np.cumsum(n) - n, n_tokens=n, splits=np.tile(store.songs.splits, times)
    )
    files.write_text(folder / "songs.csv", songs.to_csv())
    identity = store.identity | {"codes_sha256": files.sha256(folder / TOKENS)}
    sizes = {"n_tokens": len(tokens), "n_songs": len(names)}
    files.write_json(folder / MANIFEST, store.manifest | identity | sizes)
    base = root / "data" / "base" / demo.DATASET
    (base / "notes").mkdir(parents=True)
    metres = read_metres(paths.dataset_folder(demo.DATASET))
    originals = store.songs.names * times
    write_metres(base, {name: metres[known] for name, known in zip(names, originals, strict=True) if known in metres})
    shutil.copytree(paths.home() / "models", root / "models")
    goal = root / "reports" / "large" / "sae" / run.folder.name
    for part in ("sae", "labels"):
        shutil.copytree(run.folder / part, goal / part)
    shutil.copy(run.folder / "held_out.json", goal)
    args = files.read_json(run.folder / "training_args.json")
    args["activations"] |= identity
    files.write_json(goal / "training_args.json", args)
    counts, per_copy = np.diff(index.offsets), store.n_tokens
    chunks = (Chunk(counts, index.token_rows + np.uint32(per_copy * i), np.asarray(index.values)) for i in range(times))
    meta = {key: value for key, value in index.meta.items() if key not in ("n_tokens", "n_nonzero")}
    build(goal / "features", chunks, index.d_sae, len(tokens), meta | identity)
    (root / "finished").touch()
    return root


@contextmanager
def server(root: Path, run: str) -> Iterator[tuple[str, psutil.Process]]:
    """The command `explore`, its address and its process."""
    words = [sys.executable, "-m", "music_interpret.explore", run, "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        words, env=os.environ | {"MUSIC_INTERPRET_HOME": str(root)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the server gave no address"
        yield found.group(0).rstrip("/"), psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def memory_mb(process: psutil.Process) -> float:
    """Resident memory of a process and those it started, shared pages counted once, MB."""
    each = [process, *process.children(recursive=True)]
    return sum(one.memory_full_info().pss for one in each) / 1e6


def milliseconds(seconds: list[float], **most: float) -> dict[str, Any]:
    """Quantiles of latencies, and whether they are at most so many milliseconds."""
    found: dict[str, Any] = {"n": len(seconds), "max": round(max(seconds) * 1e3, 1)}
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        value = round(float(np.quantile(seconds, share)) * 1e3, 1)
        found[name] = value if name not in most else {"value": value, "at_most": most[name], "met": value <= most[name]}
    return found


def timed(client: httpx.Client, addresses: list[str]) -> list[float]:
    seconds = []
    for address in addresses:
        begun = time.perf_counter()
        client.get(address).raise_for_status()
        seconds.append(time.perf_counter() - begun)
    return seconds


def answers(client: httpx.Client, n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Latencies of single requests, each for something that was not asked for before."""
    run = client.get("/api/run").json()
    latents = rng.permutation(run["d_sae"])[:n].tolist()
    found = {"feature": milliseconds(timed(client, [f"/api/feature/{i}" for i in latents]), p50=10, p95=30)}
    excerpts = []
    for latent in latents:
        groups = client.get(f"/api/feature/{latent}").json()["examples"]
        excerpts += [excerpt["sound"] for group in groups for excerpt in group["excerpts"][:1]]
    excerpts = list(dict.fromkeys(excerpts))[:n]
    found["sound of an excerpt"] = milliseconds(timed(client, excerpts), p95=300)
    songs = rng.permutation(run["n_songs"])[:n].tolist()
    found["song"] = milliseconds(timed(client, [f"/api/song/{i}" for i in songs]))
    whole = [client.get(f"/api/song/{i}").json()["sound"] for i in songs[: max(n // 10, 3)]]
    found["sound of a whole song"] = milliseconds(timed(client, whole))
    found["table of latents"] = milliseconds(timed(client, ["/api/latents"] * max(n // 10, 3)))
    return found


def five_hundred_notes() -> bytes:
    """A MIDI file of 500 notes: a chorale again and again."""
    notes = read_works(CHORALE, 12)[0].notes
    length = int(notes[:, 0].max()) + 4
    rows = np.concatenate([notes + [length * i, 0, 0, 0, 0] for i in range(4)])[:500]
    score = symusic.Score(12)
    for program in np.unique(rows[:, 4]).tolist():
        track = symusic.Track(program=program)
        for beat, position, pitch, duration, _ in rows[rows[:, 4] == program].tolist():
            track.notes.append(symusic.Note(time=beat * 12 + position, duration=duration, pitch=pitch, velocity=80))
        score.tracks.append(track)
    return score.dumps_midi()


def uploads(client: httpx.Client) -> dict[str, Any]:
    """Seconds until an uploaded piece can be drawn: the first file after the start of the server, and the next."""
    found = {}
    for what, name, content in (
        ("MIDI, 500 notes", "a.mid", five_hundred_notes()),
        ("MusicXML, 157 notes", "a.mxl", CHORALE.read_bytes()),
        ("MIDI again", "a.mid", five_hundred_notes()),
    ):
        begun = time.perf_counter()
        said = client.post("/api/yours", params={"name": name}, content=content).raise_for_status().json()
        client.get(f"/api/song/{said['song']}").raise_for_status()
        seconds = round(time.perf_counter() - begun, 3)
        found[what] = {"value": seconds, "at_most": 3, "met": seconds <= 3, "notes": said["notes"]}
    return found


# In the page, since the pages' policy lets no other script run: when the first sound that a click asked for is heard.
LISTEN = """
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  this.addEventListener("playing", () => (window.heard ??= performance.now()), { once: true });
  return play.call(this);
};
document.addEventListener("click", () => (window.clicked ??= performance.now()), true);
"""


def pages(address: str, loads: int) -> dict[str, Any]:
    """Milliseconds from the start of a navigation until a page is usable, and from a click to the first sound."""
    from playwright.sync_api import sync_playwright

    ready = {
        "overview": ("/", "table.latents tbody tr"),
        "feature": ("/feature/{number}", ".mi-card canvas"),
        "song": ("/song/{number}", "main canvas"),
    }
    found: dict[str, Any] = {}
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(LISTEN)
        for name, (path, selector) in ready.items():
            seconds = []
            for i in range(loads + 1):
                page.goto(address + path.format(number=100 + i), wait_until="commit")
                page.wait_for_selector(selector)
                seconds.append(page.evaluate("performance.now()") / 1e3)
            found[name] = milliseconds(seconds[1:], p50=500)
        sounds = []
        for i in range(loads):
            page.goto(f"{address}/feature/{300 + i}")
            page.locator(".mi-card-play").first.click()
            while not page.evaluate("window.heard"):
                page.wait_for_timeout(10)
            sounds.append(page.evaluate("window.heard - window.clicked") / 1e3)
        found["click to first sound"] = milliseconds(sounds, p50=300)
        browser.close()
    return found


async def load(address: str, clients: int, seconds: float, pause: float) -> dict[str, Any]:
    """Many clients at once, each with pauses of random lengths (exponential, of this mean in seconds)."""
    latencies: list[float] = []
    errors: list[str] = []
    stop = time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=30) as client:
        run = (await client.get("/api/run")).json()

        async def person(number: int) -> None:
            rng = np.random.default_rng(number)
            while time.perf_counter() < stop:
                if pause:
                    await asyncio.sleep(rng.exponential(pause))
                latent, song = int(rng.integers(run["d_sae"])), int(rng.integers(run["n_songs"]))
                kinds = [f"/api/feature/{latent}"] * 6 + [f"/sound/{song}?start=0&end=96"] + [f"/api/song/{song}"] * 2
                address = [*kinds, "/static/app.js", "/api/own"][int(rng.integers(len(kinds) + 2))]
                begun = time.perf_counter()
                try:
                    answer = await client.get(address)
                    if answer.status_code != 200:
                        errors.append(f"{answer.status_code} {address}")
                except httpx.HTTPError as error:
                    errors.append(f"{type(error).__name__} {address}")
                latencies.append(time.perf_counter() - begun)

        await asyncio.gather(*(person(i) for i in range(clients)))
    return milliseconds(latencies, **({"p95": 200} if pause else {})) | {
        "clients": clients,
        "requests_a_second": round(len(latencies) / seconds, 1),
        "errors": len(errors),
        "first_errors": errors[:3],
    }


def benchmark(config: Config) -> dict[str, Any]:
    prepare(config.home)
    run = indexed(trained_run(1 if config.quick else 8))
    if not run.labelled:
        label(LabelConfig(run=str(run.folder), controls=False))
    times = 1 if config.quick else max(round(config.tokens / run.activations.n_tokens), 1)
    root = large_run(run, times)
    n, loads = (10, 2) if config.quick else (config.requests, config.pages)
    begun = time.perf_counter()
    with server(root, "large/sae") as (address, process), httpx.Client(base_url=address, timeout=60) as client:
        found: dict[str, Any] = {"seconds_to_start": round(time.perf_counter() - begun, 1)}
        time.sleep(0 if config.quick else 10)  # it goes on loading what uploads need
        found["memory_at_start_mb"] = round(memory_mb(process))
        found["uploads_seconds"] = uploads(client)
        found["answers_ms"] = answers(client, n, np.random.default_rng(0))
        found["pages_ms"] = pages(address, loads)
        clients, seconds = (5, 2.0) if config.quick else (config.clients, config.seconds)
        found["load_ms"] = asyncio.run(load(address, clients, seconds, 1.0))
        found["load_without_pause_ms"] = asyncio.run(load(address, clients, seconds / 4, 0.0))
        megabytes = round(memory_mb(process))
        found["memory_mb"] = {"value": megabytes, "at_most": 600, "met": megabytes <= 600}
        print(json.dumps(found, indent=1), flush=True)
    return {
        "tokens": run.activations.n_tokens * times,
        "firings": len(run.index.values) * times,
        "latents": run.index.d_sae,
        **found,
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
