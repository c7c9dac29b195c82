"""The report is one file that opens by itself: with its sound, with names that are code, and with no request at all."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
import soundfile
from conftest import SCRIPT_SONG

from music_interpret import config, files
from music_interpret.errors import InputError
from music_interpret.explorer.opened import Explored
from music_interpret.report import ReportConfig, chosen, page_of, report

NAME = "</script><script>alert(1)</script><!-- <b>"


@pytest.fixture(scope="module")
def root(labelled_home, tmp_path_factory):
    """A copy of the labelled home in which one latent's name is code."""
    root = tmp_path_factory.mktemp("report") / "home"
    shutil.copytree(labelled_home, root)
    names = root / "reports/s/e/layer_003/labels/names.json"
    entries = files.read_json(names)
    best = max((entry for entry in entries if entry["name"]), key=lambda entry: entry["mcc_interval"][0])
    best["name"] = NAME
    names.write_text(json.dumps(entries))
    return root


@pytest.fixture
def home(root, monkeypatch):
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(root))
    return root


@pytest.fixture(scope="module")
def written(root, tmp_path_factory):
    """A report of six latents, with sound."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSIC_INTERPRET_HOME", str(root))
        assert report(options("s/e", "--latents", "best:6", "-o", path, "--examples", 2)) == path
    return path


def options(*words):
    return config.parse(ReportConfig, [str(word) for word in words], "report")


def data_of(path):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(found[1])


def test_opens_from_disk_with_no_request(written, page, until, watched):
    page.goto(written.as_uri())
    until("document.documentElement.dataset.ready === 'true'")
    assert page.title() == "Features of s/e/layer_003"
    sections = page.locator("section.latent")
    assert sections.count() == 6 == len(data_of(written)["latents"])
    until("document.querySelectorAll('.mi-card').length > 1")
    until("document.querySelector('.mi-card').pianoRoll.draws > 0")
    assert any(NAME in text for text in page.locator("h2").all_text_contents())
    assert page.locator("script").count() == 2 and page.locator("img, iframe, object, form").count() == 0
    assert [url for url in watched.requests if not url.startswith(("data:", "blob:"))] == [written.as_uri()]
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for summary in sections.first.locator("summary").all():
        summary.click()
    until("document.querySelectorAll('section')[0].querySelectorAll('.mi-card').length > 2")
    assert "metrical strength" in sections.first.text_content() and "logits" in sections.first.text_content()


def test_the_policy_of_the_file_stops_other_scripts(written, page, until, watched):
    page.goto(written.as_uri())
    until("document.documentElement.dataset.ready === 'true'")
    page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.ran = 1";
        document.body.append(script); fetch("http://127.0.0.1:9/").catch(() => { window.refused = 1; }); }"""
    )
    until("window.refused")
    assert page.evaluate("window.ran") is None
    assert len(watched.errors) >= 2 and all("Content Security Policy" in error for error in watched.errors)
    watched.errors.clear()


def test_search_theme_and_paper(written, page, until):
    page.goto(written.as_uri())
    until("document.querySelector('.mi-card')?.pianoRoll.draws > 0")
    number = page.locator(".link .number").nth(2).text_content()
    page.get_by_role("searchbox").fill("alert(1)")
    assert page.locator(".found").text_content() == "1 latent found"
    assert page.locator("section.latent:visible").count() == 1 == page.locator(".link:visible").count()
    page.get_by_role("searchbox").fill("no such word")
    assert page.locator(".found").text_content() == "no latent has these words"
    page.get_by_role("searchbox").fill("")
    page.locator(".link").nth(2).click()
    until(f"location.hash === '#latent-{number}'")
    page.get_by_role("button", name="Dark").click()
    until("[...document.querySelectorAll('.mi-card')].some((card) => card.pianoRoll.colours?.theme === 'dark')")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    themes = "[...new Set([...document.querySelectorAll('.mi-card')].map((card) => card.pianoRoll.colours.theme))]"
    assert page.evaluate(themes) == ["light"]
    assert page.evaluate("document.querySelectorAll('.mi-card').length") == sum(
        len(latent["examples"][0]["excerpts"]) for latent in data_of(written)["latents"] if latent["live"]
    )
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()


def test_its_sound_plays(written, page, until):
    page.goto(written.as_uri())
    until("document.querySelectorAll('.mi-card').length > 1")
    card = page.locator(".mi-card").first
    card.get_by_role("button", name="Play").click()
    until("document.querySelector('audio')?.currentTime > 0.2")
    assert page.evaluate("document.querySelector('.mi-card').pianoRoll.playhead") is not None
    assert page.evaluate("document.querySelector('audio').error") is None


def test_the_sound_in_it_is_neither_silent_nor_clipped(written):
    data = data_of(written)
    tops = [latent["examples"][0]["excerpts"] for latent in data["latents"]]
    assert set(data["sounds"]) == {e["sound"] for top in tops for e in top} | {
        top[0]["sound_without"] for top in tops if top[0]["sound_without"]
    }
    for top in tops:
        for excerpt in top:
            content = base64.b64decode(data["sounds"][excerpt["sound"]])
            samples, rate = soundfile.read(io.BytesIO(content))
            roll = excerpt["roll"]
            assert len(samples) / rate == pytest.approx(
                (roll["end"] - roll["start"]) * roll["seconds_per_step"] + 0.5, abs=0.1
            )
            assert 0.02 < np.abs(samples).max() < 1.0 and np.sqrt((samples**2).mean()) > 0.003


def test_no_sound_is_small_and_has_no_buttons(home, tmp_path, page, until, capsys):
    path = report(options("s/e", "--latents", "3,5,3", "--no-sound", "-o", tmp_path / "deep" / "r.html"))
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("report: 2 of ") and last.endswith(f"MB → {path}")
    assert path.stat().st_size < 400_000 and data_of(path)["sounds"] == {}
    page.goto(path.as_uri())
    until("document.querySelectorAll('section').length === 2")
    assert page.get_by_role("button", name="Play").count() == 0
    again = report(options("s/e", "--latents", "3,5,3", "--no-sound", "-o", tmp_path / "again.html"))
    assert again.read_bytes() == path.read_bytes()


def test_which_latents(home):
    labelled = Explored.open("s/e")
    named = [name["latent"] for name in labelled.run.names.values() if name["name"]]
    latents, words = chosen(labelled, "named")
    assert sorted(latents) == sorted(named) and f"all {len(named)} named" in words
    assert chosen(labelled, "7,3")[0] == [7, 3]
    with pytest.raises(InputError, match="latent 96 is out of range; expected 0 to 95"):
        chosen(labelled, "3,96")
    unlabelled = Explored.open("s/f")
    strongest, words = chosen(unlabelled, "best:4")
    assert len(strongest) == 4 and words.startswith("the 4 strongest of ") and "no labels" in words
    largest = unlabelled.index.statistics.max
    assert largest[strongest[0]] == largest.max() and (np.diff(largest[strongest]) <= 0).all()
    with pytest.raises(InputError, match="music-interpret label s/f/layer_001"):
        chosen(unlabelled, "named")


@pytest.mark.parametrize(
    "words", [["--latents", "best"], ["--latents", "best:0"], ["--latents", "3;5"], ["--examples", 0]]
)
def test_options_that_are_wrong(words):
    with pytest.raises(InputError, match=f"{words[0]} is .*; expected"):
        options("s/e", *words)


def test_what_cannot_be_written_is_refused(home, tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        report(options("s/e", "-o", tmp_path))
    with pytest.raises(InputError, match="s/none"):
        report(options("s/none"))


def test_a_song_called_like_code_is_text(written):
    """The name is in the file only as JSON whose `<` are escaped."""
    data = data_of(written) | {"choice": SCRIPT_SONG}
    assert SCRIPT_SONG not in page_of(data) and "onerror=alert(1)" in page_of(data)
