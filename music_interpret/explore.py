"""Stage: a local page that shows what each latent responds to, as piano rolls that light up and play."""

import os
import socket
import sys
import threading
import webbrowser
from dataclasses import dataclass
from typing import Annotated, Any

from music_interpret.config import CheckedConfig, positional, within
from music_interpret.errors import InputError
from music_interpret.memory import keep_little_free_memory, return_free_memory

ADDRESS, PORT = "127.0.0.1", 8137
NEXT_PORTS = 20
"""So many ports after the usual one are tried if it is taken."""


@dataclass(frozen=True, kw_only=True)
class ExploreConfig(CheckedConfig):
    """See and hear the features of an indexed run, in a browser on this machine; it uses no network."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    port: Annotated[int, within(0, 65535)] | None = None
    """Port on 127.0.0.1; without it, 8137 or the next free one; 0 takes any free one."""
    browser: bool = True
    """Open the page in a browser, where there is a desktop."""


def explore(config: ExploreConfig) -> None:
    """Serve the pages until Ctrl-C.

    Raises:
        InputError: no such run, no index, the port is taken, or the libraries of the extra `explore` are missing.
    """
    uvicorn = _uvicorn()
    from music_interpret.explorer.api import Explorer
    from music_interpret.explorer.opened import Explored
    from music_interpret.explorer.server import make_app

    keep_little_free_memory()
    listening = listen(config.port)
    with listening:
        explorer = Explorer(Explored.open(config.run))
        return_free_memory()
        settings = uvicorn.Config(make_app(explorer), log_level="warning", server_header=False, lifespan="on")
        server = uvicorn.Server(settings)
        address = f"http://{ADDRESS}:{listening.getsockname()[1]}/"
        threading.Thread(target=explorer.warm, daemon=True).start()
        print(f"{explorer.explored.title} is at {address} (Ctrl-C ends it)", flush=True)
        if config.browser and has_desktop():
            webbrowser.open(address)
        try:
            server.run(sockets=[listening])
        finally:
            explorer.close()


def _uvicorn() -> Any:
    try:
        import fastapi  # noqa: F401
        import orjson  # noqa: F401
        import uvicorn
    except ImportError as error:
        advice = "pip install 'music-interpret[explore]'"
        raise InputError(f"the explorer needs {error.name}; install it with: {advice}") from None
    return uvicorn


def listen(port: int | None) -> socket.socket:
    """A socket on the loopback interface; InputError if the port is taken."""
    ports = range(PORT, PORT + NEXT_PORTS) if port is None else (port,)
    for number in ports:
        # With the protocol named, asyncio sends answers at once (TCP_NODELAY), which else wait 40 ms for an ACK.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, number))
            listening.listen(128)
            return listening
        except OSError:
            listening.close()
    raise InputError(
        f"port {ports[0]} on {ADDRESS} is taken or not allowed; expected another --port, or 0 for any free one"
    )


def has_desktop() -> bool:
    """Whether a browser would show a window to someone."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("explore")
