"""What an installation is made of."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LISTS = ("constraints.txt", "constraints-3.12.txt")


def pinned(name):
    lines = (ROOT / name).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pairs}


@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_is_pinned(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", one)[0]).lower() for one in wanted}
    assert names <= set(pinned(name))


def test_both_lists_differ_in_jax_only():
    """jax 0.11 and later store more programs, and need Python 3.12."""
    old, new = (pinned(name) for name in LISTS)
    assert {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} == {"jax", "jaxlib"}
    assert old["jax"] == old["jaxlib"] == "0.10.1"
    assert tuple(map(int, new["jax"].split(".")))[:2] >= (0, 11)


def test_make_takes_the_list_of_its_python():
    """The line that `make` would run, with this Python in the place of the environment's."""
    words = ["make", "-n", "-B", "-C", str(ROOT), "--no-print-directory", ".venv/.installed"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    line = next(line for line in text.splitlines() if "pip install" in line)
    chosen = re.search(r"-c \$\((.*?)\) -e", line)[1].replace(".venv/bin/python", sys.executable)
    name = subprocess.run(chosen, shell=True, capture_output=True, text=True, check=True).stdout.strip()
    assert name == LISTS[sys.version_info >= (3, 12)]
