"""The command: it says where it is, answers there, and ends at Ctrl-C; what is wrong is told in a line."""

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from conftest import start

from music_interpret.explore import listen


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_ctrl_c(labelled, stop):
    words = [sys.executable, "-m", "music_interpret", "explore", "s/e", "--port", "0", "--no-browser"]
    process = start(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TQDM_DISABLE": "1"}
    )
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"s/e/layer_003 is at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
        assert found, line + process.stderr.read()
        assert httpx.get(found[1] + "api/run").json()["run"] == "s/e/layer_003"
    finally:
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)
    assert process.returncode in (0, 128 + stop) and "Traceback" not in err, err


def test_with_a_desktop_it_opens_the_page(labelled, tmp_path):
    opened = tmp_path / "opened"
    script = tmp_path / "browser.py"
    script.write_text(f"import sys; open({str(opened)!r}, 'w').write(sys.argv[1])")
    desktop = {"DISPLAY": ":0", "BROWSER": f"{sys.executable} {script} %s", "TQDM_DISABLE": "1"}
    words = [sys.executable, "-m", "music_interpret", "explore", "s/e", "--port", "0"]
    process = start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | desktop)
    try:
        address = re.search(r"http://\S+", process.stdout.readline())[0]
        assert httpx.get(address).status_code == 200  # it answers once it has opened the page
        assert opened.read_text() == address
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_bad_input(labelled, command):
    assert "'nothing'" in command("explore", "nothing").refused()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port}" in command("explore", "s/e", "--port", port).refused()
    (labelled / "reports/s/e/layer_003/features/index.json").unlink()
    assert "music-interpret index" in command("explore", "s/e", "--port", 0).refused()


def test_the_next_free_port_is_taken():
    with listen(None) as first, listen(None) as second:
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
        assert first.getsockname()[1] < second.getsockname()[1]


def test_without_its_libraries_it_says_which_extra_to_install(labelled, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "pip install 'music-interpret[explore]'" in command("explore", "s/e").refused()
