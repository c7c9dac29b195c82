"""A notebook shows the cards of the page: the widget's own script draws its own data, and without it there is text."""

import builtins
import json

import pytest

from music_interpret.errors import InputError
from music_interpret.explorer import widget
from music_interpret.runs.run import open_run

SHOW = """async ([script, data]) => {
    const module = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    const listeners = {};
    window.model = { data, get: (name) => (name === "data" ? window.model.data : null),
        on: (name, call) => { listeners[name] = call; }, off: (name) => { delete listeners[name]; } };
    window.listeners = listeners;
    window.end = module.default.render({ model: window.model, el: document.body });
}"""


@pytest.fixture
def run(labelled):
    """The labelled run, opened for a notebook."""
    return open_run("s/e")


@pytest.fixture
def blank(page):
    """A page without a policy of its own, as a notebook is."""
    page.goto("about:blank")
    return page


def test_a_latent_as_cards(run, blank, until):
    best = run.best(1)[0]
    shown = run.latent(best["latent"], examples=2)
    assert repr(shown).startswith(f"latent {best['latent']}: {best['name']}") and "MCC" in repr(shown)
    assert shown._repr_mimebundle_()[0]["text/plain"] == repr(shown)
    data = json.loads(shown.data)
    assert [group["kind"] for group in data["feature"]["examples"]] == ["top"]
    blank.evaluate(SHOW, [shown._esm, shown.data])
    assert blank.locator(".mi-widget-title").text_content() == f"{best['latent']} · {best['name']}"
    assert blank.locator(".mi-card").count() == 2 and "% of tokens" in blank.locator("body").text_content()
    until("document.querySelector('.mi-card').pianoRoll.draws > 0")
    blank.get_by_role("button", name="Play").first.click()
    until("document.querySelector('audio').currentTime > 0.1")
    other = run.latent(int(run.index.statistics.max.argmin()), examples=1, sound=False)
    blank.evaluate("(data) => { model.data = data; listeners['change:data'](); }", other.data)
    assert blank.locator(".mi-card").count() <= 1 and blank.get_by_role("button", name="Play").count() == 0
    blank.evaluate("window.end()")
    assert blank.evaluate("Object.keys(listeners)") == []


def test_a_whole_piece(run, blank, until):
    name = run.activations.songs.names[3]
    latent = run.best(1)[0]["latent"]
    shown = run.song(name, latent)
    assert repr(shown).startswith(f"{name} · latent {latent}")
    blank.evaluate(SHOW, [shown._esm, shown.data])
    roll = "document.querySelector('[data-notes]').pianoRoll"
    until(f"{roll}.draws > 0")
    drawn = json.loads(shown.data)["roll"]
    assert blank.evaluate(f"{roll}.container.dataset.notes") == str(len(drawn["notes"]["onset"]))
    assert blank.evaluate(f"{roll}.geometry.fullWidth") > (drawn["end"] - drawn["start"]) / drawn["resolution"] * 28
    blank.evaluate("document.querySelector('audio').play()")
    until(f"{roll}.playhead > 1")
    assert json.loads(run.song(3, sound=False).data)["sound"] is None


def test_what_is_not_there(run):
    with pytest.raises(InputError, match="latent 96 is out of range; expected 0 to 95"):
        run.latent(96)
    with pytest.raises(InputError, match="0 is too few"):
        run.latent(3, examples=0)
    with pytest.raises(InputError, match="unknown song 'no such'; there are: "):
        run.song("no such")
    with pytest.raises(InputError, match="there is no song '99'; expected 0 to 39"):
        run.song(99)


def test_without_anywidget_the_extra_is_named(run, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "anywidget":
            raise ModuleNotFoundError("No module named 'anywidget'", name="anywidget")
        return real(name, *rest, **more)

    widget.widget_class.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"need anywidget; install it with: pip install 'music-interpret\[notebook\]'"):
        run.latent(3)
    monkeypatch.undo()
    widget.widget_class.cache_clear()
