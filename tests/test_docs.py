"""The documentation cannot go stale: stages have pages, commands in them parse, links lead somewhere."""

import dataclasses
import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml

from music_interpret import config
from music_interpret.cli import STAGES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What the placeholders of a synopsis may stand for; all others are names.
NUMBERS = {"<layer_index>": "7"}


def config_of(command: str) -> type:
    stage = STAGES[command]
    return getattr(importlib.import_module(f"music_interpret.{stage.module}"), stage.config)


def page_of(command: str) -> Path:
    stage = STAGES[command]
    directive = re.compile(rf"^::: music_interpret\.{stage.module}\.{stage.config}$", re.MULTILINE)
    pages = [page for page in (DOCS / "stages").glob("*.md") if directive.search(page.read_text(encoding="utf-8"))]
    assert len(pages) == 1, f"pages with the directive ::: music_interpret.{stage.module}.{stage.config}: {pages}"
    return pages[0]


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Our own commands in a page's code blocks, as (command, words)."""
    module_to_command = {stage.module: command for command, stage in STAGES.items()}
    found = []
    for line in "\n".join(FENCE.findall(text)).splitlines():
        if line.startswith("python3 -m music_interpret."):
            module, *words = shlex.split(line)[2:]
            module = module.removeprefix("music_interpret.")
            assert module in module_to_command, f"{line}: no stage of that name"
            found.append((module_to_command[module], words))
        elif line.startswith("music-interpret "):
            command, *words = shlex.split(line)[1:]
            assert command in STAGES, f"{line}: no command of that name"
            found.append((command, words))
    return found


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("command", STAGES)
def test_every_command_has_a_page_with_its_synopsis(command):
    page = page_of(command)
    assert command in [name for name, _ in commands(page.read_text(encoding="utf-8"))]
    assert f"stages/{page.name}" in (ROOT / "mkdocs.yml").read_text()


@pytest.mark.parametrize("command", STAGES)
def test_every_option_is_documented_under_its_field(command):
    """The page takes the fields from the dataclass, so a field's docstring is the option's documentation."""
    settings = config_of(command)
    docs = config.field_docs(settings)
    assert settings.__doc__
    missing = [field.name for field in dataclasses.fields(settings) if not docs.get(field.name)]
    assert not missing, f"fields of {settings.__name__} without a docstring: {missing}"
    # Markdown takes <name> for an HTML tag and shows nothing.
    swallowed = [name for name, text in docs.items() if re.search(r"<\w+>", re.sub(r"`[^`]*`", "", text))]
    assert not swallowed, f"fields of {settings.__name__} with a <name> outside of `code`: {swallowed}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_in_code_blocks_parse(page):
    for command, words in commands(page.read_text(encoding="utf-8")):
        config.parse(config_of(command), [NUMBERS.get(word, word) for word in words], command)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_options_named_in_text_exist(page):
    """An option in code font is one of ours, or stands in a command of another program."""
    options = {f"--{field.name}" for command in STAGES for field in dataclasses.fields(config_of(command))}
    options |= {option.replace("_", "-") for option in options} | {"--help", "--version", "--preset"}
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    spans = re.findall(r"`((?:--|music-interpret |python3 -m music_interpret)[^`\n]+)`", text)
    unknown = {word for span in spans for word in re.findall(r"--[\w-]+", span)} - options
    assert not unknown, f"options that no command has: {sorted(unknown)}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_relative_links_resolve(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


def test_tables_of_benchmarks_are_narrow_enough_to_read():
    rows = [line for line in (DOCS / "benchmarks.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    wide = [row for row in rows if len(row) > 100 or row.count("|") > 7]
    assert rows and not wide, wide


def test_readme_first_screen_has_the_two_commands():
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30]
    assert "make demo" in first_screen and "make test" in first_screen


def test_make_targets_in_the_docs_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z]+)(?:$|`)", text, re.MULTILINE))
        assert named <= targets, f"{page.name}: {named - targets}"


def test_every_page_is_in_the_navigation():
    def leaves(entry):
        if isinstance(entry, str):
            return [entry]
        return [leaf for value in (entry.values() if isinstance(entry, dict) else entry) for leaf in leaves(value)]

    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(leaves(settings["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_pages_ask_nothing_of_other_sites():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert settings["theme"]["font"] is False and settings["strict"] is True
    for key in ("extra_javascript", "extra_css"):
        assert not [entry for entry in settings.get(key, []) if "//" in str(entry)]
    fetched = re.compile(r"!\[[^\]]*\]\(https?:|<(script|img|link|iframe)\b")
    assert not [page for page in PAGES if fetched.search(page.read_text(encoding="utf-8"))]


def test_versions_agree():
    from music_interpret import __version__

    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert __version__ in (ROOT / "CHANGELOG.md").read_text()
