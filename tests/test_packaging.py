"""What an installation is made of."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import jaxthermo

ROOT = Path(__file__).resolve().parents[1]
LISTS = ("constraints.txt", "constraints-3.12.txt")


def pinned(name):
    lines = (ROOT / name).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pairs}


@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_is_pinned(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["plot"], *extras["docs"]]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", one)[0]).lower() for one in wanted} - {"jaxthermo"}
    assert names <= set(pinned(name))


def test_the_version_stands_in_one_place():
    """And in two files that cannot read it, and are compared here."""
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == jaxthermo.__version__
    assert f'version: "{jaxthermo.__version__}"' in (ROOT / "recipe/recipe.yaml").read_text()
    # Zenodo takes the version from the tag, so its file has none that could be another.
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert "version" not in zenodo and zenodo["license"] == re.search(r"^license: (.+)$", citation, re.MULTILINE)[1]
    assert re.search(r'^title: "(.+)"$', citation, re.MULTILINE)[1] == zenodo["title"]


def test_the_changelog_has_a_section_for_this_version():
    """On top; its day, once it has one, is that of the citation."""
    version, day = re.search(r"^## \[(.+)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).groups()
    assert version == jaxthermo.__version__
    released = re.search(r"^date-released: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert day == (released[1] if released else "unreleased")


def test_the_recipe_has_the_same_requirements():
    """Of conda's recipe: all requirements with their limits, and Matplotlib, whose core has a name of its own there."""
    described = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = described["project"]
    recipe = yaml.safe_load((ROOT / "recipe/recipe.yaml").read_text())["requirements"]
    python = f"python{project['requires-python']}"
    drawing = project["optional-dependencies"]["plot"][0].replace("matplotlib", "matplotlib-base")
    wanted = {
        "run": [python, drawing, *project["dependencies"]],
        "host": [python, "pip", *described["build-system"]["requires"]],
    }
    for part, names in wanted.items():
        assert sorted(one.replace(" ", "") for one in recipe[part]) == sorted(names), part


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
