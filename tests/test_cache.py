"""Compiled programs kept on disk, seen from processes of their own, and what an import loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jaxthermo as jt
from jaxthermo import cache

ROOT = Path(__file__).resolve().parents[1]

# Some hundred operations: long enough to compile to be worth keeping. Prints what jax says of its cache.
PROGRAM = """
import collections, json, sys
import jax, jax.numpy as jnp
import jaxthermo as jt

events = collections.Counter()
jax.monitoring.register_event_listener(lambda name, **_: events.update([name.rsplit("/", 1)[1]]))
folder = jt.enable_cache({arguments}) if {wanted} else None

def long(x, length):
    for n in range(length):
        x = jnp.sin(x) + jnp.roll(x, n) * jnp.tanh(x @ x) / (1.0 + x * x)
    return x

for length in {lengths}:
    assert bool(jnp.isfinite(jax.jit(long, static_argnums=1)(jnp.linspace(0.0, 1.0, 7), length)).all())
print(json.dumps([str(folder), events["cache_hits"], events["cache_misses"]]))
"""


def start(
    home: Path, arguments: str = "", wanted: bool = True, lengths: tuple[int, ...] = (100,), **more: str
) -> subprocess.Popen:
    """A process whose user keeps caches in `home`, and which has no settings of jax's cache but `more`."""
    hidden = ("JAX_", "XLA_FLAGS", "JAXTHERMO_", "TF_CPP")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"XDG_CACHE_HOME": str(home), "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **more}
    code = PROGRAM.format(arguments=arguments, wanted=wanted, lengths=lengths)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **pipes)


def finish(process):
    """The folder, and how many programs were read from it and added to it; such a process writes no errors."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0 and errors == "", errors
    folder, hits, misses = json.loads(output)
    return Path(folder), hits, misses


def test_a_second_process_loads_what_the_first_compiled_unless_it_is_damaged(tmp_path):
    folder, hits, misses = finish(start(tmp_path))
    assert hits == 0 and misses >= 1
    assert folder.is_relative_to(tmp_path / "jaxthermo") and folder.name == cache.fingerprint()
    assert cache.entries(folder) == misses
    # Where the machine is busy, a program too short to be kept so far may take long enough this time.
    same, hits, written = finish(start(tmp_path))
    assert (same, hits) == (folder, misses) and cache.entries(folder) == misses + written
    kept = misses + written
    # A process killed while it wrote leaves half an entry, and no time of its last use. It is written again.
    entry = max(folder.glob("*-cache"), key=lambda path: path.stat().st_size)
    entry.write_bytes(entry.read_bytes()[:100])
    entry.with_name(entry.name.removesuffix("-cache") + "-atime").unlink()
    same, hits, written = finish(start(tmp_path))
    assert (same, hits) == (folder, kept - 1) and written >= 1
    assert cache.entries(folder) == kept - 1 + written


def test_nothing_is_written_unless_asked_for(tmp_path):
    assert finish(start(tmp_path, wanted=False)) == (Path("None"), 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_jax_was_given_is_kept(tmp_path):
    own = tmp_path / "own"
    folder, _, misses = finish(start(tmp_path / "home", JAX_COMPILATION_CACHE_DIR=str(own)))
    assert folder == own and cache.entries(own) == misses >= 1
    assert not (tmp_path / "home").exists()


def test_without_a_limit_in_the_environment_there_are_neither_locks_nor_times_and_programs_stay(tmp_path):
    folder, hits, misses = finish(start(tmp_path, JAX_COMPILATION_CACHE_MAX_SIZE="-1"))
    assert hits == 0 and misses == cache.entries(folder) == len(list(folder.iterdir()))
    same, hits, written = finish(start(tmp_path, JAX_COMPILATION_CACHE_MAX_SIZE="-1"))
    assert (same, hits) == (folder, misses) and misses + written == len(list(folder.iterdir()))


def test_two_processes_at_once_share_a_folder(tmp_path):
    """They compile the same programs in opposite orders; a third one finds each of them, and none twice."""
    arguments, orders = f"{str(tmp_path)!r}, max_size=2**24", ((100, 150), (150, 100))
    together = [start(tmp_path, arguments, lengths=lengths) for lengths in orders]
    ends = [finish(process) for process in together]
    folder = ends[0][0]
    assert folder == ends[1][0] and folder.parent == tmp_path
    kept = cache.entries(folder)
    same, hits, written = finish(start(tmp_path, arguments, lengths=orders[0]))
    assert same == folder and hits >= 2 and cache.entries(folder) == kept + written


def test_bad_arguments_are_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="`folder` must be a folder that can be written to"):
        jt.enable_cache(tmp_path / "file")
    with pytest.raises(ValueError, match="`max_size` must be at least 1048576 bytes, but is 1000"):
        jt.enable_cache(tmp_path / "new", max_size=1000)
    assert not (tmp_path / "new").exists()


def test_another_processor_has_another_folder(tmp_path, monkeypatch):
    here = cache.fingerprint()
    monkeypatch.setattr(cache, "CPUINFO", tmp_path / "cpuinfo")
    cache.CPUINFO.write_text("model\t: 1\nflags\t: avx sse2\ncpu MHz\t: 2000\n")
    first = cache.fingerprint()
    # Frequencies change from moment to moment, and say nothing about instructions.
    cache.CPUINFO.write_text("model\t: 1\nflags\t: sse2 avx\ncpu MHz\t: 3000\n")
    assert cache.fingerprint() == first != here
    cache.CPUINFO.write_text("model\t: 1\nflags\t: sse2 avx avx512f\n")
    assert cache.fingerprint() != first


def test_import_loads_the_numerical_core_only():
    """What draws, stores and labels is loaded where it is used."""
    heavy = ("xarray", "pandas", "zarr", "matplotlib", "rich", "scipy", "optax", "typer", "platformdirs", "filelock")
    every = "[getattr(jaxthermo, name) for name in jaxthermo.__all__ if name != 'plot']"
    code = f"import sys, jaxthermo; {every}; print([name for name in {heavy} if name in sys.modules])"
    # jax itself imports scipy, and diffrax's optimistix may import optax, on some versions.
    bare = code.replace("jaxthermo", "jax, diffrax", 1).replace(every, "None")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    own, theirs = (
        subprocess.run([sys.executable, "-c", c], env=environment, capture_output=True, text=True, check=True).stdout
        for c in (code, bare)
    )
    assert own == theirs


def test_what_one_does_not_use_is_not_loaded():
    """A name loads its own part of the library; the message for a wrong one names it."""
    code = """
import sys, jaxthermo as jt
assert not [name for name in sys.modules if name.startswith("jaxthermo.")]
jt.PottsRing
assert "jaxthermo.potts" in sys.modules and "jaxthermo.brownian" not in sys.modules
assert set(jt.__all__) <= set(dir(jt)) and jt.scan is jt.scans.scan
try:
    jt.no_such_name
except AttributeError as error:
    assert "no_such_name" in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
