"""What is installed is said once: environment.yml and constraints.txt fit pyproject.toml."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
OLDEST = PROJECT["requires-python"].removeprefix(">=")
REQUIREMENTS = [Requirement(text) for group in (PROJECT["dependencies"], *EXTRAS.values()) for text in group]


def locked() -> dict[str, str]:
    """Name → version of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_constraints_are_names_and_versions_only():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    wrong = [line for line in lines if not re.fullmatch(r"[\w.-]+==[0-9][0-9A-Za-z.]*", line)]
    assert not wrong, wrong
    assert len(locked()) == len(lines), "a name is locked twice"


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_constraints_satisfy_pyproject(requirement):
    version = locked().get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is not in constraints.txt; run make lock"
    assert requirement.specifier.contains(version, prereleases=True), f"{version} does not fit {requirement}"


def installed() -> list[str]:
    """Names of the locked packages that are installed here; all of them, where `make init` made the environment."""
    here = {canonicalize_name(found.name) for found in metadata.distributions()}
    return [name for name in locked() if canonicalize_name(name) in here]


@pytest.mark.parametrize("name", installed())
def test_locked_version_runs_on_the_oldest_python(name):
    """A lock made on 3.11.7 once held a package that wants 3.11.5, so that `make init` failed on Debian 12's 3.11.2."""
    found = metadata.distribution(name)
    wanted = SpecifierSet(found.metadata.get("Requires-Python") or "")
    assert found.version.partition("+")[0] != locked()[name] or wanted.contains(OLDEST + ".0"), f"{name} wants {wanted}"


def test_torch_is_the_one_the_makefile_locks():
    assert f"LOCKED_TORCH := torch=={locked()['torch']}\n" in (ROOT / "Makefile").read_text()


def test_environment_yml_agrees_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PROJECT["name"]
    from_conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    from_pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))

    python = next(Requirement(entry) for entry in from_conda if entry.startswith("python"))
    assert python.specifier == SpecifierSet(PROJECT["requires-python"])
    assert set(from_conda) == {str(python), "pip"}, "packages come from pip, so that constraints.txt holds for them"

    assert len(from_pip) == 2 and "--constraint constraints.txt" in from_pip
    editable = next(entry for entry in from_pip if entry.startswith("--editable"))
    extras = re.fullmatch(r"--editable \.\[([\w,]+)\]", editable)
    assert extras and set(extras[1].split(",")) == set(EXTRAS)


MAKEFILE = (ROOT / "Makefile").read_text()


def needs(target: str) -> set[str]:
    """The extras that the Makefile installs before a target."""
    found = re.search(rf"^NEEDS_{target} := ([\w,]+)$", MAKEFILE, re.MULTILINE)
    assert found, f"no NEEDS_{target} in the Makefile"
    return set(found[1].split(","))


def test_make_init_installs_every_extra():
    extras = re.search(r"^EXTRAS := ([\w,]+)$", MAKEFILE, re.MULTILINE)
    assert extras and set(extras[1].split(",")) == set(EXTRAS)
    assert re.search(r"^NEEDS_init := \$\(EXTRAS\)$", MAKEFILE, re.MULTILINE)


def test_each_target_installs_what_it_says_it_needs():
    wanted = re.findall(r"^(\w+):.*installed-for-(\w+)", MAKEFILE, re.MULTILINE)
    assert {target for target, _ in wanted} >= {"init", "demo", "test", "lint", "docs", "bench"}
    for target, needed in wanted:
        assert target == needed
        assert target == "init" or needs(target) <= set(EXTRAS)


def test_the_demo_installs_no_tools():
    assert needs("demo") == {"explore"}


def test_the_tests_install_what_they_would_be_skipped_without():
    assert needs("test") >= {"explore", "notebook", "hub", "test"}


def test_oldest_python_is_the_one_the_tools_check():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["mypy"]["python_version"] == OLDEST
    assert tools["ruff"]["target-version"] == "py" + OLDEST.replace(".", "")
