import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo.provenance
from jaxthermo.provenance import provenance


class Spring(eqx.Module):
    stiffness: jax.Array
    order: int = eqx.field(static=True)


def schedule(t):
    return t


def test_every_value_is_a_string_and_names_what_ran():
    origin = provenance({})
    assert all(isinstance(value, str) and value for value in origin.values())
    assert origin["jax_version"] == jax.__version__
    assert origin["device_platform"] == jax.devices()[0].platform
    assert datetime.fromisoformat(origin["date_utc"]).utcoffset() == timedelta(0)


def test_parameters_are_json():
    parameters = {
        "beta": 3.5,
        "force": jnp.float64(1.0),
        "energies": np.arange(3),
        "model": Spring(jnp.asarray([0.5, 2.0]), 2),
        "schedule": schedule,
    }
    assert json.loads(provenance(parameters)["parameters"]) == {
        "beta": 3.5,
        "force": 1.0,
        "energies": [0, 1, 2],
        "model": {"class": "Spring", "stiffness": [0.5, 2.0], "order": 2},
        "schedule": "schedule",
    }


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def checkout_of(folder: Path) -> tuple[str, str]:
    """What a copy of the module reports when it lies in `folder`/jaxthermo."""
    code = "import jaxthermo.provenance as p; print(*p.checkout())"
    run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    commit, dirty = run.stdout.split()
    return commit, dirty


def copy_package(folder: Path) -> Path:
    package = folder / "jaxthermo"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(jaxthermo.provenance.__file__, package)
    return package


def test_commit_and_dirty_flag_of_a_checkout(tmp_path):
    package = copy_package(tmp_path)
    git(tmp_path, "init", "--quiet")
    assert checkout_of(tmp_path) == ("unknown", "unknown")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert checkout_of(tmp_path) == (head, "false")
    (package / "__init__.py").write_text("changed = True\n")
    assert checkout_of(tmp_path) == (head, "true")


def test_a_copy_inside_another_repository_has_no_commit(tmp_path):
    site = tmp_path / "site-packages"
    copy_package(site)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    assert checkout_of(site) == ("unknown", "unknown")
