"""What `make` installs before a target: what the environment lacks, once, and said with its size."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/install.py"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture
def install(monkeypatch, tmp_path):
    """The script in a folder of its own, with a pip that installs nothing; `run` returns what pip was asked for."""
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "SOURCES", ("pyproject.toml",))
    Path("pyproject.toml").write_text("one")
    script.pips, script.exit_code = [], 0

    def pip(words):
        script.pips.append(words[-1])
        return script.exit_code

    monkeypatch.setattr(subprocess, "call", pip)
    monkeypatch.setattr(script.shutil, "which", lambda _: None)

    def run(extras):
        monkeypatch.setattr(sys, "argv", ["install.py", extras])
        script.pips.clear()
        script.main()
        return list(script.pips)

    script.run = run
    return script


def test_an_environment_that_has_more_satisfies_a_target_that_needs_less(install):
    assert install.run("explore,test") == [".[explore,test]"]
    assert install.run("explore") == install.run("test,explore") == []


def test_only_what_is_missing_is_installed(install):
    install.run("explore")
    assert install.run("explore,docs") == [".[docs]"]
    assert install.run("docs") == install.run("explore") == []


def test_it_is_installed_again_when_what_to_install_changed(install):
    install.run("explore")
    Path("pyproject.toml").write_text("two")
    assert install.run("explore") == [".[explore]"]
    # A record of version 0.1.0 had no extras.
    install.record().write_text(f"{install.state()}\n")
    assert install.run("explore") == [".[explore]"]


def test_another_environment_has_a_record_of_its_own(install, monkeypatch, tmp_path):
    install.run("explore")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install.run("explore") == [".[explore]"]


def test_nothing_is_recorded_when_pip_fails(install):
    install.exit_code = 3
    with pytest.raises(SystemExit, match="^3$"):
        install.run("explore")
    install.exit_code = 0
    assert install.run("explore") == [".[explore]"]


def test_the_size_counts_what_is_missing(install, monkeypatch, capsys):
    assert set(install.EXTRA_MB) == set(EXTRAS)
    install.run("explore,docs")
    both = install.EXTRA_MB["explore"] + install.EXTRA_MB["docs"]
    assert f"up to {both} MB to download\n" in capsys.readouterr().out
    monkeypatch.setattr(install, "_has", lambda name: False)
    size = install.download_size(["hub"])
    assert size.startswith(f"up to {install.PACKAGE_MB + install.EXTRA_MB['hub']} MB to download, and PyTorch: ")
    assert "202 MB as a CPU build, 2.7 GB as the CUDA build" in size
