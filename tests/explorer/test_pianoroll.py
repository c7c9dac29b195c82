"""Piano rolls in a real browser: where things lie, what colour they have, keys, playing, and names that are code."""

import base64
import io
import wave

import numpy as np
import pytest

NAME = "<script>alert(1)</script>"
NOTES = {
    "onset": [36, 48, 60, 60, 72, 96, 120, 144],
    "duration": [24, 12, 12, 24, 12, 24, 6, 48],
    "pitch": [48, 60, 64, 67, 61, 72, 55, 60],
    "lane": [0, 1, 1, 1, 0, 1, 0, 1],
    "voice": [0, 1, 1, 2, 0, 1, 0, 1],
    "spelling": [0, 0, 4, 1, -5, 0, 1, 0],
    "token": [5, 6, 7, 8, 9, 10, 11, 12],
}
VALUES = [0, 0.5, 0, 1, 2, 4, 0, 1]


def wav(seconds):
    """A tone as an address of its own."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        tone = 8000 * np.sin(np.arange(int(8000 * seconds)) * 0.3)
        out.writeframes(tone.astype("<i2").tobytes())
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"


def excerpt(**changes):
    """Three bars of 4/4 with eight notes, of which note 5 (C5, bar 3) fires most."""
    roll = {
        "song": "3",
        "name": NAME,
        "split": "test",
        "start": 48,
        "end": 192,
        "resolution": 12,
        "seconds_per_step": 0.05,
        "notes": NOTES,
        "lanes": [{"program": 0, "name": "piano"}, {"program": 40, "name": "violin & <b>"}],
        "bars": [48, 96, 144, 192],
        "bar_numbers": [2, 3, 4, 5],
        "bars_estimated": False,
        "tokens": 40,
    }
    found = {"roll": roll, "values": VALUES, "token": 10, "text": "Note", "value": 4.0, "note": 5}
    return found | {"others": [], "sound": wav(3), "sound_without": wav(3)} | changes


@pytest.fixture
def drawn(modules, until):
    """Draw a roll in a box of 640 pixels: `drawn(excerpt, options, box)`; JavaScript finds it as `roll`."""

    def draw(shown=None, options="{}", box="width: 640px"):
        modules.evaluate(DRAW.replace("OPTIONS", options), [shown or excerpt(), box])
        until("roll.draws > 0")
        return modules

    return draw


DRAW = """async ([excerpt, box]) => {
    window.M ??= await import("/static/views/pianoroll.js");
    window.told = [];
    const place = document.createElement("div");
    for (const part of box.split(";")) place.style.setProperty(...part.split(":").map((word) => word.trim()));
    document.body.replaceChildren(place);
    window.roll = new M.PianoRoll(place, excerpt, OPTIONS);
}"""

PIXEL = """(note) => {
    const { x, y } = roll.centreOf(note);
    const ratio = devicePixelRatio;
    const canvas = roll.canvases[0];
    return [...canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data.slice(0, 3)];
}"""


def colours(page, notes):
    return [page.evaluate(PIXEL, note) for note in notes]


def rgb(text):
    return [int(part) for part in text.removeprefix("rgb(").removesuffix(")").split(",")]


def luminance(colour):
    """Relative luminance, WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_notes_lie_where_their_times_and_pitches_are(drawn):
    page = drawn()
    assert page.evaluate("roll.container.dataset.notes") == "8"
    starts = page.evaluate("[48, 96, 144, 192].map((step) => roll.xOf(step))")
    steps = np.diff(starts)
    np.testing.assert_allclose(steps, steps[0])
    assert 35 < starts[0] < 60 and starts[-1] <= 640
    for note in range(8):
        assert page.evaluate("(i) => { const c = roll.centreOf(i); return roll.noteAt(c.x, c.y); }", note) == note
    # Clipped at the start: note 0 began before it.
    middle = page.evaluate("roll.centreOf(0).x")
    assert middle == pytest.approx((starts[0] + page.evaluate("roll.xOf(60)")) / 2, abs=1.5)
    heights = page.evaluate("[48, 60, 72].map((pitch) => roll.geometry.yOf(pitch))")
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2]) and heights[0] > heights[2]
    assert page.evaluate("roll.noteAt(5, 50)") is None and page.evaluate("roll.noteAt(roll.xOf(180), 20)") is None


def test_colours_follow_values(drawn, until):
    page = drawn()

    def after(change):
        """Do something and wait until the roll is drawn again."""
        until(f"roll.draws > {page.evaluate(f'({change}, roll.draws)')}")

    off, weak, middle, strong = colours(page, [6, 1, 4, 5])
    assert strong == rgb(page.evaluate("M.colourOf(1, 'light')"))
    assert middle == rgb(page.evaluate("M.colourOf(0.5, 'light')"))
    assert luminance(off) > 0.6 and luminance(weak) > luminance(middle) > luminance(strong)
    after("roll.setValues([4, 0, 0, 0, 0, 0, 0, 0])")
    assert colours(page, [0, 5]) == [strong, off]
    after("roll.setValues(null)")
    assert colours(page, [0]) == [off]
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    until("roll.colours.theme === 'dark'")
    after("roll.setValues([4, 0, 0, 0, 0, 0, 0, 0], 8)")
    assert colours(page, [0])[0] == rgb(page.evaluate("M.colourOf(0.5, 'dark')"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_stronger_is_further_from_the_ground_for_every_eye(modules, theme):
    """Lightness alone orders the colours, so they can be told without seeing hue."""
    code = """async ([shares, theme]) => {
        const { colourOf } = await import("/static/views/pianoroll.js");
        return shares.map((share) => colourOf(share, theme));
    }"""
    found = modules.evaluate(code, [np.linspace(0, 1, 21).tolist(), theme])
    brightness = np.diff([luminance(rgb(colour)) for colour in found])
    assert (brightness < 0).all() if theme == "light" else (brightness > 0).all()


def test_keys_go_from_note_to_note(drawn):
    page = drawn(options="{ onHover: (note) => told.push(note), onClick: (note) => told.push(`click ${note}`) }")
    page.locator(".mi-roll").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Home", "ArrowRight", "ArrowRight", "End", "Enter", "Escape"):
        page.keyboard.press(key)
    assert page.evaluate("told") == [5, 6, 5, 0, 1, 2, 7, "click 7", None]
    assert "C4, bar 4, beat 1" not in page.locator(".mi-roll [aria-live]").text_content()
    page.keyboard.press("End")
    assert page.locator(".mi-roll [aria-live]").text_content() == "C4, bar 4, beat 1, violin & <b>, 1.00"


def test_the_pointer_shows_a_note_and_seeks(drawn):
    page = drawn(options="{ onSeek: (step) => told.push(step) }")
    box = page.locator(".mi-roll").bounding_box()
    x, y = page.evaluate("Object.values(roll.centreOf(4))")
    page.mouse.move(box["x"] + x, box["y"] + y)
    assert page.locator(".mi-roll-tip").text_content() == "D♭4 · bar 2, beat 3 · piano · 2.00"
    page.mouse.move(box["x"] + page.evaluate("roll.xOf(168)"), box["y"] + 9)
    assert page.locator(".mi-roll-tip").count() == 0
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("told[0]") == pytest.approx(168, abs=0.5)


def test_words_for_those_who_do_not_see_it(drawn):
    page = drawn()
    label = page.locator(".mi-roll").get_attribute("aria-label")
    assert label == (
        f"Piano roll of {NAME}, bars 2 to 4: 8 notes; it fires on 5, strongest on C5 at bar 3, beat 1 (4.00)"
    )
    assert page.locator(".mi-roll").get_attribute("tabindex") == "0"
    assert page.locator(".mi-roll-lanes li").all_text_contents() == ["piano", "violin & <b>"]
    empty = excerpt()["roll"] | {"notes": {key: [] for key in NOTES}, "lanes": [], "bars": []}
    drawn(empty)
    assert page.locator(".mi-roll").get_attribute("aria-label") == f"Piano roll of {NAME}: 0 notes"


def test_it_follows_the_width_of_its_place(drawn, until):
    page = drawn()
    before = page.evaluate("roll.draws")
    page.evaluate("roll.container.style.width = '320px'")
    until(f"roll.draws > {before}")
    assert page.evaluate("roll.xOf(192)") <= 320 and page.evaluate("roll.canvases[0].width") <= 320


def test_crisp_on_a_dense_screen(drawn):
    page = drawn()
    page.evaluate("Object.defineProperty(window, 'devicePixelRatio', { value: 2 })")
    page.evaluate("roll.drawNow()")
    width = page.evaluate("roll.geometry.width")
    assert page.evaluate("[roll.canvases[0].width, roll.canvases[0].getBoundingClientRect().width]") == [
        2 * width,
        width,
    ]
    assert colours(page, [5])[0] == rgb(page.evaluate("M.colourOf(1, 'light')"))


def test_a_long_piece_scrolls_and_draws_only_what_is_seen(drawn, until):
    many = {key: (np.arange(1000) * 6).tolist() for key in ("onset",)}
    many |= {"duration": [6] * 1000, "pitch": [50 + i % 30 for i in range(1000)], "lane": [0] * 1000}
    many |= {"voice": [0] * 1000, "spelling": [0] * 1000, "token": list(range(1000))}
    roll = excerpt()["roll"] | {
        "notes": many,
        "start": 0,
        "end": 6000,
        "bars": list(range(0, 6001, 48)),
        "bar_numbers": list(range(1, 127)),
    }
    page = drawn(roll, "{ pixelsPerBeat: 40, fit: false, values: Array(1000).fill(1) }")
    assert page.evaluate("roll.scroller.scrollWidth") > 19_000 and page.evaluate("roll.canvases[0].width") <= 640
    x = page.evaluate("roll.xOf(3000)")
    page.evaluate("roll.scroller.scrollTo({ left: 10000, behavior: 'instant' })")
    until("roll.geometry.scroll === 10000")
    assert page.evaluate("roll.xOf(3000)") == pytest.approx(x - 10000)
    note = page.evaluate("roll.noteAt(...Object.values(roll.centreOf(510)))")
    assert note == 510
    page.evaluate("roll.select(999)")
    until("roll.geometry.scroll > 18000")
    times = """() => {
        const start = performance.now();
        for (let i = 0; i < 20; i += 1) roll.drawNow();
        return (performance.now() - start) / 20;
    }"""
    assert page.evaluate(times) < 30


CARD = """async (excerpt) => {
    window.M ??= await import("/static/views/pianoroll.js");
    document.body.replaceChildren(...[1, 2].map(() => M.excerptCard(excerpt, { songUrl: () => "#song" })));
}"""


def test_a_card_plays_one_sound_at_a_time(modules, until):
    page = modules
    page.evaluate(CARD, excerpt(quantile=0.25))
    cards = page.locator(".mi-card")
    assert cards.first.locator(".mi-card-song").text_content() == NAME and page.locator("script").count() == 0
    assert "C5, bar 3, beat 1 · stronger than 25 % of its firings" in cards.first.text_content()
    assert page.locator("audio").count() == 0
    cards.first.get_by_role("button", name="Play").click()
    head = "document.querySelector('.mi-card').pianoRoll.playhead"
    until(f"{head} > 50")
    first = page.evaluate(head)
    until(f"{head} > {first + 2}")
    step = page.evaluate("48 + document.querySelector('audio').currentTime / 0.05")
    assert page.evaluate(head) == pytest.approx(step, abs=4)
    cards.first.get_by_role("button", name="Without this voice").click()
    until("document.querySelectorAll('audio')[1]?.currentTime > 0.1")
    times = page.evaluate("[...document.querySelectorAll('audio')].map((a) => a.currentTime)")
    assert times[1] >= times[0] - 0.05  # it goes on where the other was
    assert page.evaluate("[...document.querySelectorAll('audio')].map((a) => a.paused)") == [True, False]
    cards.nth(1).get_by_role("button", name="Play").click()
    until("document.querySelectorAll('audio')[2]?.currentTime > 0")
    assert page.evaluate("[...document.querySelectorAll('audio')].map((a) => a.paused)") == [True, True, False]
    cards.nth(1).locator(".mi-roll").focus()
    page.keyboard.press(" ")
    assert page.evaluate("[...document.querySelectorAll('audio')].every((a) => a.paused)")
    until("document.querySelectorAll('.mi-card')[1].pianoRoll.playhead === null")


def test_a_card_of_a_token_that_is_no_note(modules):
    others = [{"token": 0, "text": "Start of song", "value": 2.0}, {"token": 1, "text": "<b>", "value": 0.5}]
    shown = excerpt(note=None, token=0, text="Start of song", value=2.0, others=others, sound_without=None)
    modules.evaluate(CARD, shown)
    card = modules.locator(".mi-card").first
    assert "Start of song" in card.locator(".mi-card-place").text_content()
    assert card.locator(".mi-card-foot .mi-card-more").text_content() == "also fires on <b> (0.500)"
    assert card.get_by_role("button").all_text_contents() == ["Play"]


def test_a_sound_that_cannot_be_played_is_told(modules, watched):
    modules.evaluate(CARD, excerpt(sound="data:audio/ogg;base64,AAAA"))
    card = modules.locator(".mi-card").first
    card.get_by_role("button", name="Play").click()
    card.get_by_text("This sound cannot be played.").wait_for()
    watched.errors.clear()


def test_nothing_is_left_after_destroy(drawn):
    page = drawn()
    page.evaluate("roll.destroy()")
    assert page.locator(".mi-roll").count() == 0 and page.evaluate("roll.container.dataset.notes") is None
    page.evaluate("dispatchEvent(new Event('resize'))")


def test_the_key_to_the_colours(modules):
    modules.evaluate(
        "async () => { const m = await import('/static/views/pianoroll.js'); document.body.append(m.legend(3.1)); }"
    )
    assert modules.locator(".mi-legend").text_content() == "off03.10activation"
    assert "gradient" in modules.locator(".mi-legend-scale").evaluate("(e) => getComputedStyle(e).backgroundImage")
