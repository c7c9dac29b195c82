"""The server: addresses, what may ask, and what the page may load. Answers come from `api.py`.

It is for one person on one machine: it binds the loopback interface, refuses requests under any other host name (which
a page elsewhere could point at it) and changes from other origins, and its pages may load nothing but itself. No part
of an address reaches the file system: static files are read once, at the start, and served by name.
"""

import asyncio
import contextlib
import mimetypes
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from music_interpret.errors import InputError
from music_interpret.explorer.api import Explorer, NotFound
from music_interpret.explorer.uploads import LARGEST_BYTES
from music_interpret.memory import return_free_memory

HOSTS = ("127.0.0.1", "localhost", "[::1]")
PAGES = ("/", "/feature/{rest}", "/song/{rest}", "/song", "/yours", "/compare", "/compare/{rest}")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob: data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
THREADS = 4
TIDY_SECONDS = 10
Scope = dict[str, Any]


def make_app(explorer: Explorer) -> "Guard":
    """The whole application.

    Args:
        explorer: what it answers from; closed when the application ends.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Answers are computed, not waited for: more threads than cores would only take memory and turns.
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        tidying = asyncio.create_task(_tidy())
        yield
        tidying.cancel()
        explorer.close()

    # The pages of FastAPI's own documentation load scripts from elsewhere.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _refused_request)
    _add_pages(app)
    _add_reading(app, explorer)
    _add_songs(app, explorer)
    _add_writing(app, explorer)
    return Guard(app)


async def _tidy() -> None:
    """Now and then give back what answers took and no longer need."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        await run_in_threadpool(return_free_memory)


async def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404 if isinstance(error, NotFound) else 400)


async def _refused_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return JSONResponse({"error": f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"}, 400)


def json_response(content: bytes) -> Response:
    return Response(content, media_type="application/json", headers={"cache-control": "no-store"})


def static_files() -> dict[str, tuple[bytes, str]]:
    """Content and media type of each file in `static/`, by its path in there."""
    found: dict[str, tuple[bytes, str]] = {}

    def add(folder: Any, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                add(entry, f"{prefix}{entry.name}/")
            else:
                kind = TYPES.get("." + entry.name.rpartition(".")[2]) or mimetypes.guess_type(entry.name)[0]
                found[prefix + entry.name] = entry.read_bytes(), kind or "application/octet-stream"

    add(resources.files("music_interpret.explorer") / "static", "")
    return found


def _add_pages(app: FastAPI) -> None:
    files = static_files()
    index = files["index.html"][0]

    async def page(rest: str = "") -> Response:
        return Response(index, media_type="text/html", headers={"cache-control": "no-cache"})

    for address in PAGES:
        app.get(address)(page)

    @app.get("/static/{name:path}")
    async def static(name: str) -> Response:
        if name not in files:
            raise NotFound("there is no such file")
        content, kind = files[name]
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})


def _add_reading(app: FastAPI, explorer: Explorer) -> None:
    @app.get("/api/run")
    def run() -> Response:
        return json_response(explorer.run())

    @app.get("/api/latents")
    def latents() -> Response:
        return json_response(explorer.latents())

    @app.get("/api/feature/{latent}")
    def feature(latent: int, examples: int = 8) -> Response:
        return json_response(explorer.feature(latent, examples))

    @app.get("/api/concepts")
    def concepts() -> Response:
        return json_response(explorer.concepts())

    @app.get("/api/runs")
    def runs() -> Response:
        return json_response(explorer.runs())

    @app.get("/api/compare/{series}/{experiment}/{layer}/feature/{latent}")
    def compared_feature(series: str, experiment: str, layer: str, latent: int, examples: int = 8) -> Response:
        return json_response(explorer.compared_feature(f"{series}/{experiment}/{layer}", latent, examples))

    @app.get("/api/compare/{run_id:path}")
    def compare(run_id: str) -> Response:
        return json_response(explorer.compare(run_id))


def _add_songs(app: FastAPI, explorer: Explorer) -> None:
    @app.get("/api/songs")
    def songs() -> Response:
        return json_response(explorer.songs())

    @app.get("/api/song/{key}")
    def song(key: str) -> Response:
        return json_response(explorer.song_page(key))

    @app.get("/api/song/{key}/tracks")
    def tracks(key: str, latents: str = "") -> Response:
        return json_response(explorer.tracks(key, latents))

    @app.get("/api/song/{key}/concepts")
    def strips(key: str, names: str = "") -> Response:
        return json_response(explorer.strips(key, names))

    @app.get("/sound/{key}")
    def sound(request: Request, key: str, start: int, end: int, without: int | None = None) -> Response:
        content, kind = explorer.sound(key, start, end, without)
        return ranged(content, kind, request.headers.get("range"))


def ranged(content: bytes, kind: str, wanted: str | None) -> Response:
    """Bytes, or the part of them that a browser asks for when it seeks (RFC 9110, section 14: one range)."""
    headers = {"accept-ranges": "bytes", "cache-control": "no-cache"}
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted.strip()) if wanted else None
    if not found or found.group(0) == "bytes=-":
        return Response(content, media_type=kind, headers=headers)
    first, last = found.groups()
    start = int(first) if first else max(len(content) - int(last), 0)
    stop = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= stop:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{len(content)}"})
    headers["content-range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return Response(content[start:stop], 206, media_type=kind, headers=headers)


def _add_writing(app: FastAPI, explorer: Explorer) -> None:
    @app.get("/api/own")
    def own_labels() -> Response:
        return json_response(explorer.own_labels())

    @app.get("/api/own.jsonl")
    def exported() -> Response:
        name = f"own-labels-{re.sub(r'[^A-Za-z0-9_.-]+', '-', explorer.explored.title)}.jsonl"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Response(explorer.own.to_jsonl(), media_type="application/jsonl", headers=headers)

    @app.post("/api/own.jsonl")
    async def imported(request: Request) -> Response:
        content = await limited_body(request)
        return json_response(await run_in_threadpool(explorer.import_own_labels, content))

    @app.put("/api/own/{latent}")
    async def put_own_label(request: Request, latent: int) -> Response:
        content = await limited_body(request)
        return json_response(await run_in_threadpool(explorer.put_own_label, latent, content))

    @app.post("/api/yours")
    async def upload(request: Request, name: Annotated[str, Query(max_length=1000)]) -> Response:
        content = await limited_body(request)
        return json_response(await run_in_threadpool(explorer.upload, name, content))


async def limited_body(request: Request) -> bytes:
    """The request's body; InputError as soon as it is larger than any valid one."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BYTES:
            raise InputError(f"this is larger than {LARGEST_BYTES:,} bytes, which is the most that is taken")
        parts.append(part)
    return b"".join(parts)


class Guard:
    """Refuses what no page of ours asks, and adds the headers that keep pages to themselves."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = message | {"headers": [*message["headers"], *given]}
            await send(message)

        problem = refusal(scope)
        answer = self.app if problem is None else JSONResponse({"error": problem}, 403)
        await answer(scope, receive, send_with_headers)


def refusal(scope: Scope) -> str | None:
    """Why a request is refused; None if it is not."""
    headers: dict[str, str] = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "")
    if re.sub(r":\d+$", "", host) not in HOSTS:
        return "this server answers on this machine's own address only, such as 127.0.0.1"
    if scope["method"] in ("GET", "HEAD"):
        return None
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return "changes come from this server's own pages only"
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "changes come from this server's own pages only"
    return None
