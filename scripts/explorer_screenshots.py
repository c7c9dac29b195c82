"""Pictures of the explorer's pages, for the documentation and for people to look at.

    python3 scripts/explorer_screenshots.py demo/sae docs/images

Starts the explorer of a run, opens each page in a headless Chromium ($CHROMIUM, or the one on the PATH) and writes
`explorer-<page>.png` with few colours, so that they stay small. The compare page is left out where there is no other
run of the same songs.
"""

import argparse
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Page, sync_playwright

COLOURS = 160
PAGES: dict[str, tuple[str, Literal["light", "dark"]]] = {
    "overview": ("/", "light"),
    "feature": ("/feature/{latent}", "light"),
    "feature-dark": ("/feature/{latent}", "dark"),
    "song": ("/song/{song}?tracks={latent}&concepts=metrical strength,chord quality", "light"),
    "compare": ("/compare", "light"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", help="an indexed and labelled run")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--latent", type=int, default=205, help="latent of the Feature page")
    parser.add_argument("--song", default="0", help="number of the song")
    args = parser.parse_args()
    words = [sys.executable, "-m", "music_interpret", "explore", args.run, "--port", "0", "--no-browser"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        if not found:
            sys.exit("error: the explorer did not start")
        shoot(found[0].rstrip("/"), args)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def shoot(address: str, args: Any) -> None:
    """Write every picture."""
    args.folder.mkdir(parents=True, exist_ok=True)
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        for name, (path, theme) in PAGES.items():
            page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme)
            if name == "compare" and not page.request.get(f"{address}/api/runs").json():
                continue
            page.goto(address + path.format(latent=args.latent, song=args.song))
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(500)  # drawn after the data has come
            save(page, args.folder / f"explorer-{name}.png")
            page.close()
        browser.close()


def save(page: Page, path: Path) -> None:
    """A picture of what is to be seen, in few colours."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
