"""The command line as a person meets it."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import jaxthermo
from jaxthermo import cli
from jaxthermo.cli import app
from jaxthermo.papers import plan, reproduction


@pytest.fixture(scope="module")
def command():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


def test_version_and_help(command):
    assert command("--version").output.strip() == f"jaxthermo {jaxthermo.__version__}"
    for words in (
        ["--help"],
        *([name, "--help"] for name in ("reproduce", "doctor", "validate", "infer-protocol", "phases", "scan", "show")),
    ):
        result = command(*words)
        assert result.exit_code == 0 and "Usage" in result.output
        assert ("Examples:" if len(words) == 2 else "Exit codes: 0 done") in result.output


def test_the_package_is_the_command():
    words = [sys.executable, "-m", "jaxthermo", "--version"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"jaxthermo {jaxthermo.__version__}"


def test_a_command_that_draws_says_what_it_needs(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["jaxthermo", "phases", "--out", str(tmp_path)])

    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(cli, "app", missing)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1 and "jaxthermo[plot]" in capsys.readouterr().err


def test_an_unknown_paper_is_one_sentence(command, tmp_path):
    result = command("reproduce", "pots", "--out", tmp_path)
    assert result.exit_code == 2
    assert "`paper` must be one of potts, stirling, but is pots" in result.output
    assert not list(tmp_path.iterdir())


def test_an_output_path_that_is_a_file_is_refused(command, tmp_path):
    (tmp_path / "taken").write_text("mine")
    result = command("reproduce", "potts", "--quick", "--out", tmp_path / "taken")
    assert result.exit_code == 2 and "--out" in result.output
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("name", ["reproduce", "phases", "better-engine", "infer-protocol", "validate"])
def test_a_folder_that_cannot_be_made_is_told_before_anything_is_computed(command, name, tmp_path):
    (tmp_path / "file").touch()
    result = command(name, "--out", tmp_path / "file" / "inside" / "out")
    assert result.exit_code == cli.MISUSED
    assert "--out" in result.output and "cannot make the folder" in result.output


def test_an_interrupt_is_one_sentence_and_exit_code_130(command, tmp_path, monkeypatch):
    def interrupted(paper, out, full, items):
        assert paper.name == "potts" and not full and list(items) == []
        raise KeyboardInterrupt

    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(reproduction, "reproduce", interrupted)
    monkeypatch.setattr(os, "_exit", leave)
    result = command("reproduce", "potts", "--out", tmp_path)
    assert result.exit_code == 130 and "the same command goes on from there" in result.output


class Asked:
    """What `reproduce` was asked for, in place of doing it."""

    def __init__(self):
        self.calls = []

    def __call__(self, paper, out, full, items):
        self.calls.append((paper.name, full, list(items)))
        return reproduction.Reproduction(plan.Made(), [], out / "page.html", out / "index.html")


def test_papers_resolution_and_items_are_passed_on(command, tmp_path, monkeypatch):
    asked = Asked()
    monkeypatch.setattr(reproduction, "reproduce", asked)
    for words in ([], ["potts", "--full"], ["stirling", "--item", "fig4", "--item", "fig5"]):
        result = command("reproduce", *words, "--out", tmp_path)
        assert result.exit_code == 0 and "index.html" in result.output
    assert asked.calls == [
        ("potts", False, []),
        ("stirling", False, []),
        ("potts", True, []),
        ("stirling", False, ["fig4", "fig5"]),
    ]


def test_a_scan_that_is_interrupted_says_what_is_kept(command, tmp_path, monkeypatch):
    from jaxthermo.experiments import report

    def interrupted(experiment, resume, client):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "run_experiment", interrupted)
    monkeypatch.setattr(report, "use_devices", lambda distributed: None)
    file = tmp_path / "experiment.toml"
    lines = [
        '[model]\nkind = "potts"\nq = 3\ncoupling = -1.0\nforce = 1.0\nprefactor = 1.0',
        '[quantity]\nname = "stationary_work"',
        "[axes]\nbeta = [1.0]",
    ]
    file.write_text("\n".join([*lines, '[scan]\nstore = "s.zarr"', ""]))
    result = command("scan", file)
    assert result.exit_code == 130 and "s.zarr; the same command with --resume goes on" in result.output


def test_an_unknown_item_is_one_sentence(command, tmp_path):
    result = command("reproduce", "potts", "--item", "fig9", "--out", tmp_path)
    assert result.exit_code == 2 and "`item` must be one of fig1, fig2, fig3, fig4," in result.output
    for words, said in (
        (["potts", "--item", "fig5"], "`--item fig5` belongs to stirling: `jaxthermo reproduce stirling --item fig5`"),
        (["--item", "table4"], "`--item table4` belongs to stirling: `jaxthermo reproduce stirling --item table4`"),
        (["--item", "fig3"], "`--item fig3` belongs to potts and stirling: `jaxthermo reproduce potts --item fig3` or"),
        (["--item", "fig9"], "but is fig9"),
    ):
        result = command("reproduce", *words, "--out", tmp_path)
        assert result.exit_code == 2 and said in result.output, words
    assert not list(tmp_path.iterdir())
