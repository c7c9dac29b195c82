"""The server answers what it should, to whom it should, and nothing reaches what it should not."""

import itertools
import json
import socket
from urllib.parse import quote, urlsplit

import httpx
import numpy as np
import pytest
from conftest import SCRIPT_SONG
from fastapi.testclient import TestClient

from music_interpret.explorer.api import Explorer
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.server import PAGES, make_app, ranged, static_files
from music_interpret.music.pitches import PITCH_NAMES

ADDRESS = "http://127.0.0.1:8137"


@pytest.fixture
def client(labelled):
    with TestClient(make_app(Explorer(Explored.open("s/e"))), base_url=ADDRESS, follow_redirects=False) as client:
        yield client


def test_every_address_answers(client):
    for address in PAGES:
        answer = client.get(address.replace("{rest}", "3"))
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"), address
    for name in static_files():
        assert client.get(f"/static/{name}").status_code == 200, name
    run = client.get("/api/run").json()
    assert (run["run"], run["site"], run["d_sae"], run["n_songs"]) == ("s/e/layer_003", "layer 3", 96, 40)
    assert run["splits"] == {"train": 32, "valid": 4, "test": 4} and run["labelled"] and run["losses"]["over_clean"] < 1
    assert {row["what"] for row in run["set_level"]} == {"sae", "neurons", "context_neurons", "pca", "untrained"}
    latents = client.get("/api/latents").json()
    assert {len(column) for column in latents.values()} == {96}
    assert all((x is None) == (density == 0) for x, density in zip(latents["x"], latents["density"], strict=True))
    songs = client.get("/api/songs").json()
    assert len(songs["name"]) == 40 and SCRIPT_SONG in songs["name"]
    assert len(client.get("/api/concepts").json()) > 100
    assert client.get("/api/feature/0?examples=3").json()["own"] == {"label": "", "note": "", "star": False}


def test_a_song_with_tracks_and_strips(client):
    explored = Explored.open("s/e")
    song = client.get("/api/song/2").json()
    n = song["roll"]["tokens"]
    first = int(explored.index.activations.songs.first_token[2])
    held = {
        latent: dict(zip(*map(np.ndarray.tolist, explored.index.latent(latent)), strict=True)) for latent in range(96)
    }
    for token in range(n):
        mine = sorted((held[latent].get(first + token, 0) for latent in range(96)), reverse=True)
        shown = song["strongest"]["values"][token]
        np.testing.assert_allclose(shown, [value for value in mine if value > 0][:8])
        for latent, value in zip(song["strongest"]["latents"][token], shown, strict=True):
            assert held[latent][first + token] == pytest.approx(value)
    tracks = client.get("/api/song/2/tracks?latents=5,9").json()["tracks"]
    for track in tracks:
        expected = [held[track["latent"]].get(first + token, 0) for token in range(n)]
        np.testing.assert_allclose(track["values"], expected, rtol=1e-6)
    strips = client.get("/api/song/2/concepts", params={"names": "pitch class,leading tone"}).json()["strips"]
    notes = song["roll"]["notes"]
    for token, pitch in zip(notes["token"], notes["pitch"], strict=True):
        assert strips[0]["words"][strips[0]["codes"][token]] == PITCH_NAMES[pitch % 12]
    assert strips[0]["codes"][0] == 0 and strips[1]["words"] == ["", "yes"]


def test_runs_are_compared(client):
    runs = client.get("/api/runs").json()
    assert [run["run"] for run in runs] == ["s/f/layer_001"] and not runs[0]["labelled"]
    address = f"/api/compare/{runs[0]['id']}"
    assert address == "/api/compare/s/f/layer_001"
    found = client.get(address).json()
    assert found["pairs"]["score"] == sorted(found["pairs"]["score"], reverse=True)
    assert -1 <= min(found["pairs"]["score"]) <= max(found["pairs"]["score"]) <= 1 and 0 < found["mean"] < 1
    other = client.get(f"{address}/feature/{found['pairs']['other'][0]}").json()
    assert other["examples"] and other["name"] is None


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/api/feature/96", 404, "expected 0 to 95"),
        ("/api/feature/-1", 404, "expected 0 to 95"),
        ("/api/feature/x", 400, "latent"),
        ("/api/feature/3?examples=0", 400, "expected 1 to 50"),
        ("/api/feature/3?examples=1000000", 400, "expected 1 to 50"),
        ("/api/song/40", 404, "expected 0 to 39"),
        ("/api/song/u9", 400, "not here any more"),
        ("/api/song/%C2%B2", 404, "there is no song"),
        ("/api/song/1/tracks?latents=a", 400, "numbers with commas"),
        ("/api/song/1/tracks?latents=96", 400, "expected 0 to 95"),
        ("/api/song/1/tracks?latents=" + ",".join("1" * 13), 400, "too many"),
        ("/api/song/1/concepts?names=nonsense", 400, "no concept 'nonsense'"),
        ("/api/compare/1", 404, "no indexed run '1' of the same songs"),
        ("/api/compare/1/feature/3", 404, "no indexed run '1/feature/3' of the same songs"),
        ("/api/compare/s/e/layer_001", 404, "no indexed run 's/e/layer_001' of the same songs"),
        ("/api/compare/s/f/%2e%2e/f/layer_001", 404, "no indexed run"),
        ("/api/compare/s/f%2Flayer_001/", 404, "no indexed run"),
        ("/api/compare/s/g/layer_001/feature/3", 404, "no indexed run 's/g/layer_001' of the same songs"),
        ("/api/compare/s/f/layer_001/feature/4000", 404, "expected 0 to 95"),
        ("/sound/1?start=9999999&end=99999999", 400, "not in this piece"),
        ("/sound/1?start=-5&end=12", 400, "not in this piece"),
        ("/sound/1?start=12&end=12", 400, "not in this piece"),
        ("/sound/1", 400, "start"),
        ("/sound/77?start=0&end=9", 404, "there is no song"),
        ("/static/nothing.js", 404, "no such file"),
    ],
)
def test_bad_requests_get_a_sentence(client, address, status, words):
    answer = client.get(address)
    assert answer.status_code == status and words in answer.json()["error"]


SECRETS = ("own_labels.sqlite", "training_args.json", "sae_weights.safetensors", "../../../../../../etc/passwd")
STEPS = (
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%5c",
    "....//",
    "%252e%252e%252f",
    "/",
    "//",
    "..%c0%af",
    "..;/",
    "%00../",
)


PREFIXES = ("/static/", "/static/pages/", "/api/song/", "/sound/", "/api/compare/", "/feature/", "/")


def test_no_address_reaches_the_file_system(served):
    """Sent as raw bytes, since clients tidy addresses up."""
    page = static_files()["index.html"][0]
    for prefix, step, secret in itertools.product(PREFIXES, STEPS, SECRETS):
        address = f"{prefix}{step * 6}{secret}"
        status, body = raw_get(served.url, address)
        assert status in (200, 400, 404, 405, 307), (address, status)
        assert status != 200 or page in body, address
        assert b"root:" not in body and b"SQLite" not in body and b'"arguments"' not in body


def raw_get(url: str, address: str, host: str | None = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"GET {address} HTTP/1.1\r\nHost: {host or parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer


def test_links_in_the_run_folder_lead_nowhere(client, labelled):
    run = labelled / "reports/s/e/layer_003"
    (run / "static").symlink_to("/etc")
    (labelled / "reports/s/g").symlink_to("/etc")
    assert client.get("/static/passwd").status_code == 404
    assert [run["run"] for run in client.get("/api/runs").json()] == ["s/f/layer_001"]


def test_foreign_hosts_and_origins_are_refused(client):
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:8137", "localhost.evil", "", "127.0.0.1@evil"):
        assert client.get("/", headers={"host": host}).status_code == 403, host
    for host in ("127.0.0.1:8137", "localhost:8137", "localhost", "[::1]:8137"):
        assert client.get("/api/run", headers={"host": host}).status_code == 200, host
    label = {"label": "mine", "note": "", "star": True}
    foreign = (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:8137"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    )
    for headers in foreign:
        assert client.put("/api/own/3", json=label, headers=headers).status_code == 403
        assert client.post("/api/yours?name=a.mid", content=b"MThd", headers=headers).status_code == 403
        assert client.post("/api/own.jsonl", content=b"", headers=headers).status_code == 403
    assert client.get("/api/own").json() == []
    own = {"origin": ADDRESS, "sec-fetch-site": "same-origin"}
    assert client.put("/api/own/3", json=label, headers=own).json() == label


def test_it_listens_on_loopback_only(served):
    port = urlsplit(served.url).port
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
    for address in addresses - {"127.0.0.1", "127.0.1.1"}:
        with pytest.raises(OSError):
            socket.create_connection((address, port), timeout=1)
    assert httpx.get(f"{served.url}/api/run").status_code == 200


def test_every_answer_keeps_the_page_to_itself(client):
    answers = [client.get("/"), client.get("/api/run"), client.get("/nowhere"), client.get("/", headers={"host": "x"})]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers
    for address in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(address).status_code == 404


def test_pages_hold_no_inline_script_and_nothing_from_elsewhere():
    for name, (content, _) in static_files().items():
        text = content.decode()
        if name.startswith("report."):
            continue
        if name.endswith(".html"):
            assert " style=" not in text and " onclick" not in text and "<script>" not in text
        assert ".innerHTML" not in text and "outerHTML" not in text, name
        for line in text.splitlines():
            if "http://" in line or "https://" in line:
                assert "www.w3.org" in line or line.strip().startswith(("//", "*", "/*")), (name, line)


def test_own_labels_leave_and_enter_as_lines(client):
    client.put("/api/own/3", json={"label": SCRIPT_SONG, "note": "two\nlines", "star": False})
    client.put("/api/own/4", json={"label": "", "note": "", "star": True})
    lines = client.get("/api/own.jsonl")
    assert "attachment" in lines.headers["content-disposition"]
    assert [json.loads(line)["latent"] for line in lines.text.splitlines()] == [3, 4]
    client.put("/api/own/4", json={"label": "", "note": "", "star": False})
    assert [label["latent"] for label in client.get("/api/own").json()] == [3]
    assert client.post("/api/own.jsonl", content=lines.content).json() == {"imported": 2}
    assert client.get("/api/own.jsonl").text == lines.text
    assert client.get("/api/feature/3").json()["own"]["label"] == SCRIPT_SONG
    assert client.get("/api/latents").json()["star"][4] is True
    bad = lines.text + '{"latent": 9999, "label": "x"}\n'
    assert "line 3: latent 9999" in client.post("/api/own.jsonl", content=bad).json()["error"]
    for content in (b"\xff", b"{", b"[]", b'{"latent": "3"}', b'{"latent": 3, "star": 1}', b'{"latent": 3, "more": 1}'):
        assert client.post("/api/own.jsonl", content=content).status_code == 400
        assert client.put("/api/own/3", content=content).status_code == 400
    assert client.put("/api/own/3", json={"label": "x" * 201}).status_code == 400
    assert client.put("/api/own/3", json={"label": "\x00"}).status_code == 400
    assert client.put("/api/own/3", content=b'{"label": "\\ud800"}').status_code == 400
    assert client.get("/api/own.jsonl").text == lines.text


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        (None, 200, slice(0, 10)),
        ("bytes=0-", 206, slice(0, 10)),
        ("bytes=2-4", 206, slice(2, 5)),
        ("bytes=8-99", 206, slice(8, 10)),
        ("bytes=-3", 206, slice(7, 10)),
        ("bytes=-99", 206, slice(0, 10)),
        ("bytes=10-", 416, slice(0, 0)),
        ("bytes=5-2", 416, slice(0, 0)),
        ("bytes=0-1,3-4", 200, slice(0, 10)),
        ("bytes=-", 200, slice(0, 10)),
        ("lines=1-2", 200, slice(0, 10)),
    ],
)
def test_parts_of_a_sound(wanted, status, part):
    content = bytes(range(10))
    answer = ranged(content, "audio/wav", wanted)
    assert answer.status_code == status and bytes(answer.body) == content[part]
    assert status != 206 or answer.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/10"


def test_sound(client):
    excerpt = client.get("/api/feature/1").json()["examples"][0]["excerpts"][0]
    whole = client.get(excerpt["sound"])
    assert whole.headers["content-type"] == "audio/wav" and whole.content[:4] == b"RIFF"
    part = client.get(excerpt["sound"], headers={"range": "bytes=4-7"})
    assert part.status_code == 206 and part.content == whole.content[4:8]
    if excerpt["sound_without"]:
        assert client.get(excerpt["sound_without"]).content != whole.content
    song = client.get("/api/song/3").json()
    assert client.get(song["sound"]).content[:4] in (b"OggS", b"RIFF")


def test_names_are_data(client):
    songs = client.get("/api/songs").json()
    key = songs["song"][songs["name"].index(SCRIPT_SONG)]
    answer = client.get(f"/api/song/{key}")
    assert answer.json()["roll"]["name"] == SCRIPT_SONG and answer.headers["content-type"] == "application/json"
    assert client.get("/song/" + quote(SCRIPT_SONG)).content == static_files()["index.html"][0]
