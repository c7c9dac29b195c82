"""Modules are joined into one that imports nothing, and data in HTML stays data."""

import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from music_interpret.explorer import bundle

MODULES = {
    "entry.js": 'import { a } from "./deep/a.js";\nexport { b } from "./b.js";\nexport const c = a + 1;\n',
    "deep/a.js": 'import { b } from "../b.js";\nimport {\n  d,\n} from "./d.js";\nexport function a() { return b; }\n',
    "deep/d.js": "export class d {}\nconst hidden = 1;\n",
    "b.js": "export const b = 1;\nexport async function later() {}\n",
}


@pytest.fixture
def modules(monkeypatch):
    """Modules of `static/` that a test may change."""
    found = dict(MODULES)
    monkeypatch.setattr(bundle, "static", found.__getitem__)
    return found


def test_each_module_once_and_what_it_imports_before_it(modules):
    text = bundle.joined("entry.js")
    assert not re.search(r"^\s*(import|export)\b", text, re.MULTILINE)
    order = [text.index(part) for part in ("const b = 1", "class d", "function a()", "const c")]
    assert order == sorted(order) and text.count("const b = 1") == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("b.js", 'import { x as y } from "./deep/d.js";', "under another name: x as y"),
        ("b.js", 'import * as d from "./deep/d.js";', "b.js cannot be joined: import"),
        ("b.js", 'import "./deep/d.js";', "b.js cannot be joined: import"),
        ("b.js", 'const d = await import("./deep/d.js");', "b.js cannot be joined: import"),
        ("b.js", 'import { x } from "lit";', "b.js imports 'lit', which is not one of our modules"),
        ("b.js", "export default { b: 1 };", "it has an export default"),
        ("b.js", "const b = 1;\nexport { b };", "b.js cannot be joined: export"),
        ("b.js", "const hidden = 2;", "both declare hidden"),
        (
            "b.js",
            'import { a } from "./deep/a.js";',
            "entry.js imports deep/a.js imports b.js imports deep/a.js: a circle",
        ),
    ],
)
def test_what_it_cannot_join_is_refused(modules, name, text, message):
    modules[name] = text + "\n"
    with pytest.raises(ValueError, match=re.escape(message)):
        bundle.joined("entry.js")


def test_the_default_of_the_entry_stays(modules):
    modules["entry.js"] += "export default { c };\n"
    assert bundle.joined("entry.js").endswith("export default { c };\n")


def test_documentation_is_left_out(modules):
    modules["b.js"] = '/** @import { T } from "./t" */\n\n/**\n * @param {T} x\n */\nexport const b = 1; // why\n'
    text = bundle.joined("entry.js")
    assert "@" not in text and "const b = 1; // why" in text and "function a()" in text


@pytest.mark.parametrize("entry", ["views/pianoroll.js", "report.js", "widget.js"])
def test_ours_are_joined(entry):
    text = bundle.script_text(bundle.joined(entry))
    assert "class PianoRoll" in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")


class Elements(HTMLParser):
    """Start tags and text of an HTML text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_json_in_html_comes_back_and_opens_no_element():
    value = {"name": "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> ]]>\u2028é"}
    page = Elements(f'<script type="application/json">{bundle.script_json(value)}</script><p>after')
    assert page.tags == ["script", "p"] and json.loads(page.texts[0]) == value


def test_json_takes_arrays_and_numbers_that_are_none():
    value = {"a": np.array([1, 2]), "b": np.array([0.1, 2.25], np.float32), "c": math.nan, "d": np.float32(3)}
    assert bundle.to_json(value) == '{"a":[1,2],"b":[0.1,2.25],"c":null,"d":3.0}'


def test_a_script_that_would_end_its_element_is_refused():
    assert bundle.script_text("a < b") == "a < b"
    for text in ("'</SCRIPT>'", "'<!--'", "'</style '"):
        with pytest.raises(ValueError, match="cannot stand in an HTML element"):
            bundle.script_text(text)
    assert bundle.data_uri(b"abc", "audio/ogg") == "data:audio/ogg;base64,YWJj"
