"""A real browser for the tests of what people see: headless Chromium, which may reach nothing but this machine."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from music_interpret.explorer.server import HEADERS, static_files

OPTIONS = ["--no-sandbox", "--disable-background-networking", "--autoplay-policy=no-user-gesture-required"]
OWN_SCHEMES = ("about", "blob", "chrome-error", "data", "file")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SITE = "http://127.0.0.1:9"
"""Where `modules` answers; nothing listens there."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: $CHROMIUM, or the one on the PATH. Without one tests are skipped, but under $CI they fail."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None and os.environ.get("CI"):
        pytest.fail("no chromium; make browser installs it")  # tests that decide what lands are never passed over
    if program is None:
        pytest.skip("no chromium; make browser installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        browser.close()


class Watched:
    """What went wrong on a page: errors on its console, and requests to other machines."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []

    def watch(self, page: Any) -> None:
        """Listen to a page from now on."""
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def foreign(self) -> list[str]:
        """Requests that left this machine."""
        parts = [(url, urlsplit(url)) for url in self.requests]
        return [url for url, at in parts if at.scheme not in OWN_SCHEMES and at.hostname not in LOOPBACK]


@pytest.fixture
def watched() -> Watched:
    """What goes wrong on `page`; a test that wants an error takes it out of `errors`."""
    return Watched()


@pytest.fixture
def page(browser: Any, watched: Watched) -> Iterator[Any]:
    """A page of 1280 × 900 pixels, light; at the end there must have been no error and no request to elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(10_000)
    watched.watch(page)
    yield page
    context.close()
    assert not watched.errors
    assert not watched.foreign()


@pytest.fixture
def until(page: Any) -> Callable[[str], Any]:
    """Wait for JavaScript on `page` to be true: `until("roll.draws > 1")`. The content-security policy forbids
    Playwright's own `wait_for_function`.
    """

    def wait(expression: str, seconds: float = 10) -> Any:
        end = time.monotonic() + seconds
        while not (value := page.evaluate(expression)):
            assert time.monotonic() < end, f"still not true after {seconds} s: {expression}"
            page.wait_for_timeout(20)
        return value

    return wait


@pytest.fixture
def modules(page: Any) -> Any:
    """`page`, empty, under the server's content-security policy and with `static/` beside it, without a server."""
    files = static_files()

    def answer(route: Any) -> None:
        name = urlsplit(route.request.url).path.removeprefix("/static/")
        if name == "/":
            start = "<!doctype html><meta charset=utf-8><title>test</title><link rel=icon href='data:,'><body></body>"
            route.fulfill(body=start, content_type="text/html", headers=HEADERS)
        elif name in files:
            route.fulfill(body=files[name][0], content_type=files[name][1], headers=HEADERS)
        else:
            route.fulfill(status=404, body="")

    page.route(f"{SITE}/**", answer)
    page.goto(f"{SITE}/")
    return page
