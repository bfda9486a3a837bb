"""Settings of the whole suite. They come before jax and jaxthermo are imported, hence the order of this file."""

import os
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"

import gc

import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Held for good: uninstalling it would leave modules imported later unchecked.
HOOK = jaxtyping.install_import_hook("jaxthermo", "beartype.beartype")

from jaxthermo import cache

# What one worker has compiled, the others load, and so do the documents' processes, notebooks and other clones.
FOLDER = cache.enable_cache()
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(FOLDER)
os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(cache.MAX_SIZE)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(cache.MIN_COMPILE_SECONDS)
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
# Processes that use the folder without `enable_cache` print no false alarms of XLA's either.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

# XLA maps pages for each function that it compiles, and crashes where the kernel allows no more (65530 by default).
MAPPINGS = Path("/proc/self/maps")
MOST_MAPPINGS = 30_000


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


def _all_were_asked_for(config):
    return not any("::" in argument for argument in config.args)


@pytest.fixture(autouse=True)
def few_mappings():
    """Forget all compiled functions before there are too many; the cache on disk still has them."""
    yield
    if MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()
