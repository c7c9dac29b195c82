"""Pushing and loading through the real huggingface_hub, from a folder: its cache, and a Hub of ours on this machine."""

import base64
import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from sae_cases import assert_same, case

from music_interpret import SparseAutoencoder
from music_interpret.errors import InputError
from music_interpret.sae import hub

constants = pytest.importorskip("huggingface_hub.constants")
NOWHERE = 9


class LocalHub(BaseHTTPRequestHandler):
    """As much of the Hub's interface as pushing and fetching take; a repository is a folder, a branch one within."""

    root: Path
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def answer(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def missing(self, code):
        self.answer({"error": "not found"}, 404, X_Error_Code=code, X_Error_Message="not found")

    def branch_of(self, repo_id, revision):
        """The folder of a branch, given its name or its commit, which is made of its name."""
        for folder in (self.root / repo_id).glob("*"):
            if revision in (folder.name, commit_of(folder)):
                return folder
        return None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        path = unquote(urlsplit(self.path).path)
        if path == "/api/repos/create":
            asked = json.loads(body)
            (self.root / asked["organization"] / asked["name"] / "main").mkdir(parents=True, exist_ok=True)
            repo_id = f"{asked['organization']}/{asked['name']}"
            self.answer({"url": f"{constants.ENDPOINT}/{repo_id}", "id": repo_id})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif found := re.fullmatch(r"/api/models/(.+)/branch/(.+)", path):
            (self.root / found[1] / found[2]).mkdir()
            self.answer({})
        elif found := re.fullmatch(r"/api/models/(.+)/preupload/(.+)", path):
            asked = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
            self.answer({"files": [file | {"shouldIgnore": False, "oid": None} for file in asked]})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/(.+)", path):
            folder = self.branch_of(found[1], found[2])
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    place = folder / line["value"]["path"]
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(base64.b64decode(line["value"]["content"]))
            self.answer(
                {
                    "success": True,
                    "commitOid": commit_of(folder),
                    "commitUrl": f"{constants.ENDPOINT}/{found[1]}/commit/x",
                }
            )
        else:
            self.missing("RepoNotFound")

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        tree = re.fullmatch(r"/api/models/(.+)/tree/([^/]+)/?", path)
        info = re.fullmatch(r"/api/models/(.+)/revision/(.+)", path)
        file = re.fullmatch(r"/(.+?/.+?)/resolve/([^/]+)/(.+)", path)
        found = tree or info or file
        if not found or not (self.root / found[1]).is_dir():
            return self.missing("RepoNotFound")
        folder = self.branch_of(found[1], found[2])
        if folder is None:
            return self.missing("RevisionNotFound")
        files = {place.relative_to(folder).as_posix(): place.read_bytes() for place in folder.rglob("*.*")}
        commit = commit_of(folder)
        if info:
            siblings = [{"rfilename": name} for name in files]
            return self.answer({"id": found[1], "sha": commit, "siblings": siblings, "private": False})
        if tree:
            kinds = {"type": "file", "oid": "0" * 40}
            return self.answer([kinds | {"path": name, "size": len(content)} for name, content in files.items()])
        if found[3] not in files:
            return self.missing("EntryNotFound")
        tag = hashlib.sha256(files[found[3]]).hexdigest()
        return self.answer(files[found[3]], ETag=f'"{tag}"', X_Repo_Commit=commit)

    do_HEAD = do_GET


def commit_of(folder):
    return hashlib.sha1(folder.name.encode()).hexdigest()


def serve_from(monkeypatch, port):
    """Point the library to a port of this machine, which is all that it may reach here."""
    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def local_hub(tmp_path, monkeypatch):
    """A Hub whose repositories are folders below the one returned; the library's cache is beside it."""
    handler = type("Handler", (LocalHub,), {"root": tmp_path / "hub"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    serve_from(monkeypatch, server.server_port)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    yield tmp_path / "hub"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("folder", "revision"), [("", None), ("sod/layer_003", None), ("", "small"), ("a", "small")])
@pytest.mark.parametrize("context", [False, True])
def test_what_is_pushed_is_loaded(local_hub, folder, revision, context):
    before = case("topk", context=context).autoencoder
    address = before.push_to_hub("someone/some-sae", folder=folder, revision=revision)
    place = local_hub / "someone" / "some-sae" / (revision or "main") / folder
    expected = {"README.md", "cfg.json", "sae_weights.safetensors"} | (
        {"token_baseline.safetensors"} if context else set()
    )
    assert {path.name for path in place.iterdir()} == expected
    (place / "run_me.py").write_text("raise SystemExit")
    after = SparseAutoencoder.load(address)
    assert_same(before, after)
    assert not list(local_hub.parent.glob("cache/**/run_me.py"))
    assert SparseAutoencoder.load(place).d_sae == before.d_sae


def test_what_was_fetched_is_there_without_a_network(local_hub, monkeypatch):
    before = case("gated").autoencoder
    address = before.push_to_hub("someone/some-sae")
    assert_same(before, SparseAutoencoder.load(address))
    serve_from(monkeypatch, NOWHERE)
    assert_same(before, SparseAutoencoder.load(address))


def test_the_librarys_cache_is_read_as_it_lies(tmp_path, monkeypatch):
    """The cache's own layout, made by hand, and the library told that there is no network."""
    before = case("jumprelu").autoencoder
    repository = tmp_path / "models--someone--some-sae"
    before.save(repository / "snapshots" / ("a" * 40) / "deep")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_same(before, SparseAutoencoder.load("hf://someone/some-sae/deep"))


def test_the_card_says_what_it_is(local_hub):
    autoencoder = case("topk", context=True).autoencoder
    autoencoder.push_to_hub("someone/some-sae", folder="layer_003")
    card = (local_hub / "someone/some-sae/main/layer_003/README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "saelens" and "sparse-autoencoder" in header["tags"]
    for line in ("| architecture | topk |", "| d_in | 48 |", "| d_sae | 160 |", "| k | 8 |", "| layer | 3 |"):
        assert line in card
    assert 'SparseAutoencoder.load("hf://someone/some-sae/layer_003")' in card
    assert 'SAE.load_from_disk(snapshot_download("someone/some-sae") + "/layer_003")' in card
    assert "x - baseline(tokens)" in card
    for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        compile(code, "README.md", "exec")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf://a/b", ("a/b", None, "")),
        ("hf://a/b@v1.0/c/layer_003", ("a/b", "v1.0", "c/layer_003")),
        ("hf://a-1/b_2.x/c/", ("a-1/b_2.x", None, "c")),
    ],
)
def test_addresses(text, parts):
    assert hub.Address.of(text) == parts
    assert str(hub.Address.of(text)) == text.rstrip("/")


@pytest.mark.parametrize("text", ["hf://a", "hf://", "hf://a/b/../../etc", "hf://a/b/.git", "hf://a b/c", "hf:/a/b"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match=r"is no address on the Hub; expected hf://owner/name\[@revision\]\[/folder\]"):
        hub.fetch(text, ("cfg.json",))


def test_a_repository_that_is_not_there_gets_one_line(local_hub):
    with pytest.raises(InputError, match="cannot fetch hf://someone/nothing: .*Not Found"):
        SparseAutoencoder.load("hf://someone/nothing")
    case("topk").autoencoder.push_to_hub("someone/some-sae")
    with pytest.raises(InputError, match="cannot fetch hf://someone/some-sae@old: .*Not Found"):
        SparseAutoencoder.load("hf://someone/some-sae@old")
    with pytest.raises(InputError, match="missing file .*nowhere/cfg.json"):
        SparseAutoencoder.load("hf://someone/some-sae/nowhere")


def test_no_network_gets_one_line(tmp_path, monkeypatch):
    serve_from(monkeypatch, NOWHERE)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="cannot upload to hf://someone/some-sae: .*"):
        case("topk").autoencoder.push_to_hub("someone/some-sae")
    with pytest.raises(InputError, match="cannot fetch hf://someone/some-sae: .*"):
        SparseAutoencoder.load("hf://someone/some-sae")


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    right = re.escape("the Hub needs huggingface_hub; install it with: pip install 'music-interpret[hub]'")
    with pytest.raises(InputError, match=right):
        SparseAutoencoder.load("hf://someone/some-sae")
    with pytest.raises(InputError, match=right):
        case("topk").autoencoder.push_to_hub("someone/some-sae")
