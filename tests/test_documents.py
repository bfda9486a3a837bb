"""What the documents show is run: Python blocks, the options of shell commands, notebooks."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
# Short pages run one after another in one process, which imports jax once.
LONG = {"docs/how_to/own_objective.md"}
HOW_TO = [path for path in DOCUMENTS if path.match("how_to/*") or path.name == "CONTRIBUTING.md"]
HOW_TO = [path for path in HOW_TO if name_of(path) not in LONG]
PROCESSES = [*([path] for path in DOCUMENTS if path not in HOW_TO), HOW_TO]


NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))

# A misspelt language would silently be a block that nobody runs.
# `py` is Python that is shown and not run.
LANGUAGES = {"python", "py", "bash", "console", "text", "toml", "json", "bibtex", "math", "mermaid"}

MACHINE_PATH = re.compile(r"(?<![\w.~}>)/-])/(?:home|root|Users|work|mnt|scratch|workspace)/[\w.]|[A-Z]:\\\\?Users")


class Block(NamedTuple):
    language: str
    line: int  # of the first line inside, counted from 1
    lines: list[str]


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text."""
    blocks: list[Block] = []
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        opening = re.match(r"(`{3,}|~{3,})(.*)", stripped)
        if fence and stripped == fence:
            fence = ""
        elif fence:
            blocks[-1].lines.append(line)
        elif opening:
            fence = opening[1]
            blocks.append(Block(opening[2].strip(), number + 1, []))
    assert not fence, f"a block opened with {fence} is never closed"
    return blocks


def script_of(blocks: list[Block]) -> str:
    """All Python blocks as one script whose line numbers are the document's."""
    lines: list[str] = []
    for block in blocks:
        if block.language == "python":
            lines += [""] * (block.line - 1 - len(lines)) + block.lines
    return "\n".join(lines) + "\n"


def commands_of(blocks: list[Block]) -> list[list[str]]:
    """Arguments of every `jaxthermo ...` command in the shell blocks."""
    commands = []
    for block in blocks:
        if block.language not in ("bash", "console"):
            continue
        # In a console block the rest is output.
        lines = "\n".join(block.lines).replace("\\\n", " ").splitlines()
        if block.language == "console":
            lines = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
        for line in lines:
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            command: list[str] = []
            for word in [*words, ";"]:
                if set(word) <= set("();<>|&"):
                    if command and Path(command[0]).name == "jaxthermo":
                        commands.append(command[1:])
                    command = []
                else:
                    command.append(word)
    return commands


def test_blocks_are_found_with_their_lines():
    text = "# T\n```python\na = 1\n```\n\n- item\n  ```console\n  $ jaxthermo x --y 1 | tee log  # why\n  out\n  ```\n"
    text += "```python\nb = a\n```\n```bash\n.venv/bin/jaxthermo z \\\n  --k && make run\n```\n"
    blocks = blocks_of(text)
    assert [block.language for block in blocks] == ["python", "console", "python", "bash"]
    assert script_of(blocks).splitlines() == ["", "", "a = 1", *7 * [""], "", "b = a"]
    assert commands_of(blocks) == [["x", "--y", "1"], ["z", "--k"]]


def test_there_are_documents_and_notebooks():
    assert ROOT / "README.md" in DOCUMENTS
    assert len(DOCUMENTS) > 1, "docs/ has no documents"
    assert NOTEBOOKS, "notebooks/ has no notebooks"


# Each script starts with names of its own, and without x64.
RUNNER = """
import sys

for name in sys.argv[1:]:
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", False)
    exec(compile(open(name).read(), name, "exec"), {"__name__": "__main__"})
"""


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_blocks_are_in_known_languages(path):
    unknown = {block.language for block in blocks_of(path.read_text())} - LANGUAGES
    assert not unknown, f"{name_of(path)} has blocks of unknown languages {unknown}, but knows {sorted(LANGUAGES)}"


@pytest.mark.parametrize("paths", PROCESSES, ids=lambda paths: name_of(paths[0]) if len(paths) == 1 else "how_to")
def test_python_blocks_run(paths, tmp_path):
    """In a process of their own, as a reader would run them: x64 is off unless the document turns it on."""
    scripts = []
    for path in paths:
        # Beside the folder they run in, so that a document which lists that folder sees only its own files.
        scripts.append(tmp_path / f"{path.stem}.py")
        scripts[-1].write_text(script_of(blocks_of(path.read_text())))
    folder = tmp_path / "run"
    folder.mkdir()
    words = [sys.executable, "-c", RUNNER, *scripts]
    result = subprocess.run(words, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, f"(line numbers are the document's)\n{result.stdout}{result.stderr}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_shell_commands_parse(path, capsys, monkeypatch):
    for arguments in commands_of(blocks_of(path.read_text())):
        from jaxthermo.cli import main

        # --help stops before anything runs, but only after the options have been recognised.
        monkeypatch.setattr(sys, "argv", ["jaxthermo", *arguments, "--help"])
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
        assert not code, f"jaxthermo {shlex.join(arguments)}\n{capsys.readouterr().err}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebooks_are_stored_without_outputs_and_run(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells), "clear the outputs before storing"
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.data for cell in cells for output in cell.outputs if "data" in output]
    drawn = [data for data in shown if data.get("text/plain", "").startswith("<Figure")]
    assert all("image/png" in data for data in drawn), "a picture is shown as text"


def test_no_file_contains_a_path_of_somebodys_machine():
    listing = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "pyproject.toml" in names
    found = []
    for name in names:
        path = ROOT / name
        text = path.read_text(errors="replace") if path.is_file() else ""
        found += [f"{name}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
        found += [f"{name}: {ROOT}"] if f"{ROOT}{os.sep}" in text else []
    assert found == []
