"""Which tests are slow, and how the process that runs them is set up."""

import gc
import importlib
import itertools
import os
from pathlib import Path

import pytest

os.environ["MPLBACKEND"] = "Agg"
# Matrices of the references are small: the threads of BLAS would wait for each other, and that costs their time twice.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

# XLA maps pages for each function that it compiles, and crashes where the kernel allows no more (65530 by default).
MAPPINGS = Path("/proc/self/maps")
MOST_MAPPINGS = 30_000
TESTS = itertools.count(1)


def pytest_configure(config):
    """Set up jax before a test module imports it, but not in the process that only hands tests to others."""
    # Tracing makes millions of objects that live on: the collector would look through them for a tenth of all time.
    gc.set_threshold(100_000, 50, 100)
    hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not hands_out:
        folder = importlib.import_module("settings").FOLDER
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
            few_programs(folder)


def few_programs(folder, most=2**32):
    """Remove compiled programs that were used longest ago while the folder holds more than `most` bytes."""
    seen = sorted((path.stat().st_atime, path.stat().st_size, path) for path in folder.glob("*-cache"))
    excess = sum(size for _, size, _ in seen) - most
    for _, size, path in seen:
        if excess > 0:
            path.unlink(missing_ok=True)
            excess -= size


LONG_TESTS = tuple(
    line for line in Path(__file__).with_name("long_tests.txt").read_text().splitlines() if not line.startswith("#")
)


# Before pytest leaves out what is slow.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark the tests of long_tests.txt as slow; a line that names none is a misspelling, or a test that is gone."""
    for item in items:
        if item.nodeid.startswith(LONG_TESTS):
            item.add_marker(pytest.mark.slow)
    collected = {item.nodeid for item in items}
    whole_files = {name.split("::")[0] for name in collected} if _all_were_asked_for(config) else set()
    for line in LONG_TESTS:
        known = line.split("::")[0] not in whole_files or any(name.startswith(line) for name in collected)
        assert known, f"tests/long_tests.txt names {line}, which is no test"


def pytest_collection_finish():
    """Modules live as long as the process."""
    gc.freeze()


def _all_were_asked_for(config):
    return not any("::" in argument for argument in config.args)


@pytest.fixture(autouse=True)
def few_mappings():
    """Forget all compiled functions before there are too many; the cache on disk still has them.

    Ten tests add five thousand mappings at most, and to count them takes 10 ms.
    """
    yield
    if next(TESTS) % 10 == 0 and MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        importlib.import_module("jax").clear_caches()
        gc.collect()
