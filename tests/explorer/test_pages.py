"""The pages in a real browser: what people see and do, with the mouse and without, and what an address brings back."""

import io
import json
import re
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import SCRIPT_SONG
from playwright.sync_api import expect

from music_interpret import explorer

MIDI = Path(__file__).parents[1] / "fixtures" / "scores"


def ask(served, path):
    with urllib.request.urlopen(served.url + path) as answer:
        return json.load(answer)


def visit(page, served, path):
    page.goto(served.url + path)
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    return page


def query(page):
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def rows(page):
    return page.locator(".latents tbody tr[data-place]")


def assert_heard(page):
    """What the page plays are bytes of a sound that is neither silent nor clipped, and as long as the page says."""
    address, seconds = page.evaluate("(({src, duration}) => [src, duration])(document.querySelector('audio'))")
    samples, rate = soundfile.read(io.BytesIO(page.request.get(address).body()))
    assert len(samples) / rate == pytest.approx(seconds, abs=0.1)
    assert 0.02 < np.abs(samples).max() < 0.999 and np.sqrt((samples**2).mean()) > 0.003


def fits(page):
    """Nothing makes the page scroll sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_overview_says_the_run_in_numbers_and_filters_link_everything(served, page, until):
    visit(page, served, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("s/e/layer_003")
    expect(page.locator(".numbers")).to_contain_text("32")
    expect(page.locator(".worth tbody tr")).to_have_count(5)
    expect(rows(page)).to_have_count(96)
    group = page.locator('.legend .chip[data-value="token"]')
    named = int(group.inner_text().split()[-1])
    group.click()
    expect(rows(page)).to_have_count(named)
    expect(group).to_have_attribute("aria-pressed", "true")
    assert query(page) == {"group": "token"}
    expect(page.locator(".scatter")).to_have_count(2)
    page.locator('th[data-key="density"] .sort').click()
    expect(page.locator('th[data-key="density"]')).to_have_attribute("aria-sort", "descending")
    density = ask(served, "/api/latents")["density"]
    shown = [int(text) for text in page.locator(".latents tbody th").all_inner_texts()]
    assert shown == sorted(shown, key=lambda latent: -density[latent])
    page.get_by_role("searchbox", name="Search latents").fill(f"{shown[0]}")
    expect(rows(page)).not_to_have_count(named)
    assert query(page)["q"] == str(shown[0])
    page.go_back()
    expect(rows(page)).to_have_count(named)
    page.go_back()
    page.go_back()
    expect(rows(page)).to_have_count(96)
    assert query(page) == {}


def test_score_ranges_concepts_and_a_piece_of_a_plot_are_filters(served, page):
    visit(page, served, "/")
    latents = ask(served, "/api/latents")
    page.get_by_label("MCC at least").fill("0.2")
    page.get_by_label("MCC at least").press("Enter")
    expect(rows(page)).to_have_count(sum(mcc is not None and mcc >= 0.2 for mcc in latents["mcc"]))
    page.get_by_role("button", name="Clear all filters").click()
    concept = latents["concept"][0]
    page.get_by_label("Concept", exact=True).select_option(concept)
    expect(rows(page)).to_have_count(latents["concept"].count(concept))
    page.get_by_role("button", name="Clear all filters").click()
    box = page.locator(".scatter canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert "box" in query(page)
    expect(page.locator(".count")).to_contain_text(" of 96")
    assert 0 < rows(page).count() < 96
    page.get_by_label("MCC at least").fill("0.99")
    page.get_by_label("MCC at least").press("Enter")
    page.get_by_role("searchbox").fill("nothing is called so")
    expect(page.locator(".latents .empty")).to_contain_text("No latent fits")


def test_a_dot_says_what_it_is_and_opens_its_latent(served, page):
    visit(page, served, "/")
    page.locator(".scatter").first.scroll_into_view_if_needed()
    spot = page.evaluate(
        """() => { const canvas = document.querySelector('.scatter canvas'); const at = canvas.getBoundingClientRect();
        for (let y = 6; y < at.height - 40; y += 3) for (let x = 50; x < at.width; x += 3) {
          canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: at.x + x, clientY: at.y + y}));
          if (!canvas.parentElement.querySelector('.tip').hidden) return [at.x + x, at.y + y]; } }"""
    )
    page.mouse.move(*spot)
    latent = re.search(r"Latent (\d+)", page.locator(".tip").first.inner_text()).group(1)
    page.mouse.click(*spot)
    expect(page).to_have_url(f"{served.url}/feature/{latent}")
    expect(page.locator(".feature")).to_be_visible()


def test_a_latent_shows_its_name_its_scores_and_its_examples(served, page):
    latent = next(i for i, name in enumerate(ask(served, "/api/latents")["name"]) if name)
    known = ask(served, f"/api/feature/{latent}")
    visit(page, served, f"/feature/{latent}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(
        known["name"]["columns"][0].removeprefix("next token: ")
    )
    expect(page.locator(".scores tr")).to_have_count(4)
    expect(page.locator(".scores")).to_contain_text(f"{known['name']['mcc']:.2f}")
    for kind in ("top", "quantiles", "random"):
        group = page.locator(f'.group[data-kind="{kind}"]')
        group.scroll_into_view_if_needed()
        first = group.locator(".mi-card").first
        expect(first).to_be_visible()
        lit = first.locator("canvas").first.evaluate(
            "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        )
        assert lit > 8, kind
    assert page.locator(".column").count() == len(known["statistics"]["histogram"]["counts"])
    for section in ("#effects", "#when", "#nearest", "#concepts"):
        expect(page.locator(f"{section} tr, {section} li").first).to_be_visible()
    page.locator("#nearest a").first.click()
    expect(page).to_have_url(re.compile(rf"/feature/{known['nearest']['decoder'][0]['latent']}$"))


def test_a_name_says_how_far_its_concepts_agree_with_experts(served, page):
    known = ask(served, "/api/feature/16")
    rule = {"columns": ["next token: chord root: C", "pitch: C4"], "operators": ["and"], "groups": ["harmony", "token"]}
    known["name"] = (known["name"] or {}) | rule | {"name": "a name", "rule": "a name", "why": "", "needs": "future"}
    known["name"] |= {"mcc_interval": [0, 1], "f1_interval": [0, 1]}
    corpora = [
        {"corpus": "Corelli, trio sonatas", "notes": 53864, "value": 0.841, "interval": [0.827, 0.853]},
        {"corpus": "Grieg, lyric pieces", "notes": 60620, "value": 0.743, "interval": [0.705, 0.778]},
    ]
    words = {"short": "74–84 %", "words": "chord root agrees with experts on 74–84 % of notes"}
    agreement = {"concept": "chord root", "measured": "chord root", "measure": "accuracy", "corpora": corpora} | words
    known["reliability"] = [agreement, agreement | {"concept": "local key", "words": "local key agrees"}]
    known["labels"] = [known["labels"][0] | {"name": f"{of}: C", "concept": of} for of in ("chord root", "pitch")]
    page.route("**/api/feature/16?*", lambda route: route.fulfill(json=known))
    visit(page, served, "/feature/16")
    marks = page.get_by_role("heading", level=1).locator(".estimate")
    expect(marks).to_have_count(1)
    expect(marks).to_have_attribute("title", words["words"])
    expect(page.locator(".agreement")).to_have_count(1)
    table = page.locator(".agreement table")
    expect(table).to_be_hidden()
    page.locator(".agreement summary").focus()
    page.keyboard.press("Enter")
    expect(table.locator("tbody tr").first).to_have_text("Corelli, trio sonatas84.1 %82.7 % to 85.3 %53,864")
    expect(page.locator("#concepts tbody th")).to_have_text(["chord root: C≈ 74–84 %", re.compile("^pitch: C( |$)")])
    for width in (1280, 380):
        page.set_viewport_size({"width": width, "height": 900})
        assert fits(page)


def test_every_number_explains_itself_by_mouse_and_by_keyboard(served, page):
    visit(page, served, "/feature/16")
    asked = page.get_by_role("button", name="What is MCC?").first
    box = page.locator("#help")
    asked.hover()
    expect(box).to_contain_text("Matthews")
    page.mouse.move(600, 5)
    expect(box).to_be_hidden()
    asked.focus()
    page.keyboard.press("Enter")
    expect(box).to_contain_text("Matthews")
    expect(asked).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    assert page.locator(".help").count() > 25


def test_own_labels_are_kept(served, page):
    visit(page, served, "/feature/7")
    page.get_by_label("Your label").fill("<b>cadence</b> & co")
    page.get_by_label("Note", exact=True).fill("heard in\nmany bars")
    page.get_by_role("button", name="Star", exact=True).click()
    expect(page.locator(".own [role=status]")).to_have_text("saved")
    served.restart()
    visit(page, served, "/feature/7")
    expect(page.get_by_label("Your label")).to_have_value("<b>cadence</b> & co")
    expect(page.get_by_label("Note", exact=True)).to_have_value("heard in\nmany bars")
    expect(page.get_by_role("button", name="Star", exact=True)).to_have_attribute("aria-pressed", "true")
    visit(page, served, "/?own=1")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("“<b>cadence</b> & co”")
    page.get_by_role("searchbox").fill("cadence")
    expect(rows(page)).to_have_count(1)


def test_a_label_that_cannot_be_kept_says_so_and_can_be_tried_again(served, page, watched):
    visit(page, served, "/feature/7")
    page.route("**/api/own/7", lambda route: route.fulfill(status=500, json={"error": "The disk is full."}))
    page.get_by_role("button", name="Star", exact=True).click()
    expect(page.locator(".own .failed")).to_contain_text("not saved: The disk is full.")
    page.unroute("**/api/own/7")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".own [role=status]")).to_have_text("saved")
    assert ask(served, "/api/own")[0]["star"]
    watched.errors.clear()


def test_the_next_latent_is_the_next_of_the_list_it_was_opened_from(served, page):
    latents = ask(served, "/api/latents")
    order = sorted(range(96), key=lambda latent: (-latents["density"][latent], latent))
    visit(page, served, f"/feature/{order[0]}?sort=-density")
    expect(page.locator(".walk")).to_contain_text("1 of 96 in the list")
    page.keyboard.press("j")
    expect(page).to_have_url(f"{served.url}/feature/{order[1]}?sort=-density")
    expect(page.locator(".walk")).to_contain_text("2 of 96 in the list")
    page.keyboard.press("k")
    expect(page).to_have_url(f"{served.url}/feature/{order[0]}?sort=-density")
    visit(page, served, "/feature/5")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(f"{served.url}/feature/6")
    expect(page.locator(".walk")).to_contain_text("Latent 6 of 96")


def test_dead_latents_and_runs_without_labels_say_what_they_are(served, page):
    alive, run = ask(served, "/api/feature/3"), ask(served, "/api/run")
    empty = {"density": 0, "max": 0, "mean": 0, "n_firings": 0, "n_songs": 0, "histogram": {"edges": [], "counts": []}}
    dead = alive | {"live": False, "name": None, "described": "", "labels": [], "examples": [], "fires_when": []}
    dead["statistics"] = alive["statistics"] | empty
    page.route("**/api/feature/3?*", lambda route: route.fulfill(json=dead))
    visit(page, served, "/feature/3")
    expect(page.get_by_role("heading", level=1)).to_have_text("Latent 3 never fires")
    expect(page.locator(".notice")).to_contain_text("dead")
    unlabelled = run | {"labelled": False, "set_level": None, "groups": [], "n_named": 0}
    page.route("**/api/run", lambda route: route.fulfill(json=unlabelled))
    page.route(
        "**/api/feature/4?*", lambda route: route.fulfill(json=alive | {"latent": 4, "name": None, "labels": []})
    )
    visit(page, served, "/feature/4")
    expect(page.locator("main")).to_contain_text("not labelled yet")
    expect(page.locator("main code")).to_have_text("music-interpret label s/e/layer_003")
    expect(page.locator(".mi-card").first).to_be_visible()


def test_an_example_plays_from_the_keyboard(served, page, until):
    visit(page, served, "/feature/16")
    expect(page.locator(".mi-card").first).to_be_visible()
    page.keyboard.press(" ")
    until("document.querySelector('audio')?.currentTime > 0.2")
    assert_heard(page)
    page.keyboard.press(" ")
    until("[...document.querySelectorAll('audio')].every((audio) => audio.paused)")


def test_a_song_shows_what_a_note_fires_and_lays_latents_and_concepts_under_it(served, page, until):
    visit(page, served, "/song/5")
    strongest = ask(served, "/api/song/5")["strongest"]["latents"]
    token, x, y = page.evaluate(
        """() => { const roll = document.querySelector('.song-roll').pianoRoll; const {x, y} = roll.centreOf(3);
        const at = roll.element.getBoundingClientRect(); return [roll.roll.notes.token[3], at.x + x, at.y + y]; }"""
    )
    page.mouse.move(x, y)
    expect(page.locator(".strongest li")).to_have_count(len(strongest[token]))
    page.mouse.click(x, y)
    assert query(page)["token"] == str(token)
    page.locator(".strongest button").first.click()
    latent = strongest[token][0]
    expect(page.locator(".strip.track")).to_have_count(1)
    assert query(page) == {"token": str(token), "tracks": str(latent), "latent": str(latent)}
    until("document.querySelector('.song-roll').pianoRoll.values?.some((value) => value > 0)")
    page.get_by_label("Compare with concept").select_option("metrical strength")
    expect(page.locator(".strip.concept")).to_contain_text("downbeat")
    drawn = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value > 0)"
    for kind in ("track", "concept"):
        assert page.locator(f".strip.{kind} canvas").evaluate(drawn), kind
    page.get_by_role("button", name=f"Remove track of latent {latent}").first.click()
    expect(page.locator(".strip.track")).to_have_count(0)
    page.go_back()
    expect(page.locator(".strip.track")).to_have_count(1)


def test_a_song_plays_seeks_and_stops(served, page, until):
    visit(page, served, "/song/5")
    play = page.locator(".play")
    play.click()
    until("document.querySelector('audio').currentTime > 0.3")
    assert_heard(page)
    expect(play).to_have_text("■ Stop")
    until("document.querySelector('.song-roll').pianoRoll.playhead > 0")
    page.keyboard.press("Escape")
    play.click()
    expect(play).to_have_text("▶ Play")
    page.get_by_label("Place in the piece").fill("2")
    until("Math.abs(document.querySelector('audio').currentTime - 2) < 0.3")


def test_another_song_is_found_by_name_with_the_keyboard(served, page):
    visit(page, served, "/song/5?tracks=16")
    page.keyboard.press("/")
    page.keyboard.type("folksong ballad")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("essenFolksong-ballad")
    expect(page.locator(".strip.track")).to_have_count(1)


def test_own_music_opens_as_a_song_and_a_broken_file_gets_a_sentence(served, page, watched):
    midi = MIDI / "midi" / "plain.mid"
    visit(page, served, "/yours")
    page.locator("#file").set_input_files({"name": "broken.mid", "mimeType": "audio/midi", "buffer": b"no music"})
    expect(page.get_by_role("alert")).to_contain_text("cannot be read as music")
    watched.errors.clear()  # the browser tells of the status 400
    name = "<img src=x onerror=alert(1)>.mid"
    page.locator("#file").set_input_files({"name": name, "mimeType": "audio/midi", "buffer": midi.read_bytes()})
    expect(page).to_have_url(re.compile("/song/u1$"), timeout=20_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x")
    expect(page.locator(".song-head")).to_contain_text("your music")
    visit(page, served, "/yours")
    expect(page.locator(".pieces a")).to_have_attribute("href", "/song/u1")


def test_what_of_a_file_was_left_out_is_said_before_it_opens(served, page):
    visit(page, served, "/yours")
    page.locator("#file").set_input_files(MIDI / "midi" / "closed_by_end_of_track.mid")
    expect(page.locator("div.said")).to_contain_text("of the file's 2 notes 1 were read", timeout=20_000)
    page.get_by_role("link", name="Open closed_by_end_of_track.mid").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("closed_by_end_of_track")


def test_a_dropped_file_is_read(served, page):
    midi = MIDI / "midi" / "plain.mid"
    visit(page, served, "/yours")
    page.evaluate(
        """(bytes) => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'dropped.mid'));
        document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true})); }""",
        list(midi.read_bytes()),
    )
    expect(page.get_by_role("heading", level=1)).to_contain_text("dropped", timeout=20_000)


def test_two_runs_are_compared_pair_by_pair(served, page):
    pairs = ask(served, "/api/compare/s/f/layer_001")["pairs"]
    visit(page, served, "/compare")
    expect(page.locator(".pairs tbody tr")).to_have_count(len(pairs["latent"]))
    expect(page).to_have_url(f"{served.url}/compare?run=s/f/layer_001")
    expect(page.locator(".side")).to_have_count(2)
    expect(page.locator(".side").nth(1)).to_contain_text(f"s/f/layer_001 · latent {pairs['other'][0]}")
    expect(page.locator(".side .mi-card").nth(1)).to_be_visible()
    page.locator(f'.pairs tr[data-latent="{pairs["latent"][4]}"] a').click()
    expect(page.locator(".side").first).to_contain_text(f"latent {pairs['latent'][4]}")
    assert query(page)["pair"] == str(pairs["latent"][4])
    page.keyboard.press("j")
    expect(page.locator(".side").first).to_contain_text(f"latent {pairs['latent'][5]}")
    page.go_back()
    page.go_back()
    expect(page.locator(".side").first).to_contain_text(f"latent {pairs['latent'][0]}")
    page.route("**/api/runs", lambda route: route.fulfill(json=[]))
    visit(page, served, "/compare")
    expect(page.locator(".commands")).to_contain_text("music-interpret index")


def test_an_address_of_a_run_that_is_not_there_shows_no_other(served, page):
    visit(page, served, "/compare?run=s/f/layer_001")
    expect(page.locator(".side")).to_have_count(2)
    visit(page, served, "/compare?run=1")
    expect(page.get_by_role("alert")).to_contain_text("There is no indexed run 1 of the same songs")
    expect(page.locator(".pairs tbody tr")).to_have_count(0)
    page.locator("#other-run").select_option("s/f/layer_001")
    expect(page.locator(".side")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/compare\?run=s/f/layer_001$"))


def test_an_address_brings_back_what_was_seen(served, page, until):
    visit(page, served, "/?q=place&sort=-max&group=token&needs=given")
    expect(page.get_by_role("searchbox")).to_have_value("place")
    expect(page.locator('.chip[data-value="given"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator('th[data-key="max"]')).to_have_attribute("aria-sort", "descending")
    visit(page, served, "/feature/16?examples=4#when")
    expect(page.get_by_label("Examples of each kind")).to_have_value("4")
    until("Math.abs(document.querySelector('#when').getBoundingClientRect().top) < 300")
    visit(
        page, served, "/song/5?tracks=16,45&concepts=scale+degree,metrical+strength&latent=45&token=40&at=48&zoom=110"
    )
    expect(page.locator(".strip.track")).to_have_count(2)
    expect(page.locator(".strip.concept")).to_have_count(2)
    expect(page.locator("#track-45")).to_be_checked()
    until("document.querySelector('.song-roll').pianoRoll.scroller.scrollLeft > 100")
    until("document.querySelector('.song-roll').pianoRoll.ringed !== null")
    latent = ask(served, "/api/compare/s/f/layer_001")["pairs"]["latent"][7]
    visit(page, served, f"/compare?run=s/f/layer_001&pair={latent}&sort=latent")
    expect(page.locator(".pairs tr.on")).to_have_attribute("data-latent", str(latent))
    expect(page.locator('.pairs th[data-key="latent"]')).to_have_attribute("aria-sort", "ascending")


def test_back_returns_to_where_the_page_was(served, page, until):
    visit(page, served, "/?sort=latent")
    page.locator(".latents tbody a").nth(60).scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 100
    page.locator(".latents tbody a").nth(60).click()
    expect(page).to_have_url(f"{served.url}/feature/60?sort=latent")
    expect(page.locator(".feature")).to_be_visible()
    page.go_back()
    expect(rows(page)).to_have_count(96)
    until(f"Math.abs(scrollY - {before}) < 60")


def test_dark_and_light(served, page):
    visit(page, served, "/feature/16")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-theme") == "dark" and page.evaluate(ground) != light
    visit(page, served, "/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == light
    page.evaluate("localStorage.clear()")
    page.emulate_media(color_scheme="dark")
    visit(page, served, "/")
    assert page.locator("html").get_attribute("data-theme") == "dark"


@pytest.mark.parametrize("width", [768, 375])
def test_narrow_windows_do_not_scroll_sideways(served, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("/", "/feature/16", "/song/5?tracks=16&concepts=scale+degree&token=9", "/yours", "/compare"):
        visit(page, served, path)
        page.wait_for_timeout(100)
        assert fits(page), path


def test_names_that_are_code_are_shown_as_text(served, page):
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    visit(page, served, "/song/0")
    expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPT_SONG)
    page.get_by_role("combobox", name="another piece").fill("onerror")
    expect(page.get_by_role("option").first).to_contain_text(SCRIPT_SONG)
    latents = ask(served, "/api/latents")
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    latents["name"][0], latents["group"][0], latents["label"][1] = bad, "token", bad
    page.route("**/api/latents", lambda route: route.fulfill(json=latents))
    visit(page, served, "/")
    expect(page.locator(".latents tbody")).to_contain_text(bad)
    assert page.locator("main img, main script").count() == 0


def test_the_main_path_needs_no_mouse(served, page, until):
    visit(page, served, "/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next, previous row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("place")
    until("new URLSearchParams(location.search).get('q') === 'place'")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator(".latents tbody a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".feature h1")).to_be_focused()
    # From the heading to the first roll, then to a note of it, and with Enter to the song.
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('mi-roll')"):
            break
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/song/\d+\?tracks=\d+&latent=\d+&token=\d+"))
    expect(page.locator(".note h2")).to_contain_text("beat")
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page.locator(".latents")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page).to_have_url(f"{served.url}/song/0")


def test_a_server_that_is_gone_gets_a_sentence_and_a_retry(served, page, watched):
    visit(page, served, "/")
    page.route("**/api/feature/*", lambda route: route.abort())
    page.locator(".latents tbody a").first.click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    page.unroute("**/api/feature/*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".feature")).to_be_visible()
    for path, words in (("/feature/9999", "no latent 9999"), ("/song/777", "no song")):
        visit(page, served, path)
        expect(page.get_by_role("alert")).to_contain_text(words)
    watched.errors.clear()


def test_own_labels_leave_and_enter_as_a_file(served, page, watched):
    visit(page, served, "/")
    field = page.locator(".own-files input")
    line = json.dumps({"latent": 9, "label": "suspension", "note": "", "star": True})
    field.set_input_files({"name": "labels.jsonl", "mimeType": "text/plain", "buffer": f"{line}\n".encode()})
    page.get_by_role("button", name="own label").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("suspension")
    with page.expect_download() as download:
        page.get_by_role("link", name="export").click()
    assert json.loads(Path(download.value.path()).read_text()) == json.loads(line)
    field.set_input_files({"name": "labels.jsonl", "mimeType": "text/plain", "buffer": b"no labels"})
    expect(page.locator(".own-files .failed")).to_contain_text("line 1 is not JSON")
    watched.errors.clear()  # the browser tells of the status 400


def test_all_modules_of_a_page_are_asked_for_at_once(served, page):
    folder = Path(explorer.__file__).parent / "static"

    def imported(name):
        for found in re.findall(r'^(?:im|ex)port [^;]*?from "(.+?)";', (folder / name).read_text(), re.MULTILINE):
            path = (folder / name).parent.joinpath(found).resolve().relative_to(folder.resolve())
            if path.as_posix() not in seen:
                seen.add(path.as_posix())
                imported(path.as_posix())

    visit(page, served, "/yours")
    lists = page.evaluate("import('/static/preload.js').then(({MODULES}) => MODULES)")
    frame = set(re.findall(r"/static/([\w/]+\.js)", (folder / "index.html").read_text()))
    for name, modules in lists.items():
        seen = {f"pages/{name}.js"}
        imported(f"pages/{name}.js")
        assert {f"{module}.js" for module in modules} | frame >= seen, name
        assert {f"{module}.js" for module in modules} <= seen, name


def test_a_note_is_found_by_each_of_its_names(served, page):
    cases = json.loads((Path(__file__).parents[1] / "fixtures" / "name_search.json").read_text(encoding="utf-8"))
    visit(page, served, "/")
    found = page.evaluate(
        """async (texts) => { const { searchable } = await import("/static/views/notenames.js");
        return texts.map(searchable); }""",
        [text for text, _ in cases],
    )
    assert found == [expected for _, expected in cases]
    counts = {}
    for typed in ("Ab", "A flat", "a-flat", "A♭", "G#", "g sharp"):
        page.get_by_role("searchbox").fill(typed)
        expect(page).to_have_url(re.compile("q="))
        page.wait_for_timeout(400)
        counts[typed] = page.locator(".count").inner_text()
    assert len(set(counts.values())) == 1, counts
