import subprocess
import sys

import pytest

from music_interpret import __version__, cli


def run_main(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(words))
    return stop.value.code, *capsys.readouterr()


def test_help_lists_every_command(capsys):
    code, out, _ = run_main(capsys, "--help")
    assert code == 0
    for command in cli.STAGES:
        assert f"  {command} " in out


def test_version(capsys):
    assert run_main(capsys, "--version") == (0, f"{__version__}\n", "")


def test_unknown_command(capsys):
    code, _, err = run_main(capsys, "exctract")
    assert code == 2 and err.startswith("error: unknown command 'exctract'; there are: ingest, extract,")


@pytest.mark.parametrize("command", cli.STAGES)
def test_each_command_explains_its_options(capsys, command):
    code, out, _ = run_main(capsys, command, "--help")
    assert code == 0 and out.startswith(f"usage: music-interpret {command}")


@pytest.mark.parametrize("words", [("--series_name", "--experiment_name"), ("--series-name", "--experiment-name")])
def test_options_come_with_underscores_and_with_hyphens(home, command, words):
    message = command("train", "sod", "ape", words[0], "s", words[1], "e", "--layers", "0", "1").refused()
    assert "no activations in" in message


@pytest.mark.parametrize("stage", cli.STAGES.values(), ids=lambda stage: stage.module)
def test_module_and_command_are_the_same(stage):
    done = subprocess.run(
        [sys.executable, "-m", f"music_interpret.{stage.module}", "--nonsense"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith(f"error: python3 -m music_interpret.{stage.module}: ")
    assert done.stderr.count("\n") == 1


def test_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "music_interpret"], capture_output=True, text=True)
    assert done.returncode == 0 and "commands:" in done.stdout
