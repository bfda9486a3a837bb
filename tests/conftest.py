"""Settings of the whole suite. They come before jax and jaxthermo are imported, hence the order of this file."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# What one worker or document has compiled, all others load. With a limit of its size jax locks the cache; without one
# it writes entries in place, and another worker could read half of one.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(8 * 2**30))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ["MPLBACKEND"] = "Agg"
# Compilation is most of the suite's time, and LLVM's first level of optimisation is a tenth faster to compile.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1".strip()

import gc

import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Held for good: uninstalling it would leave modules imported later unchecked.
HOOK = jaxtyping.install_import_hook("jaxthermo", "beartype.beartype")

# XLA maps pages for each function that it compiles, and crashes where the kernel allows no more (65530 by default).
MAPPINGS = Path("/proc/self/maps")
MOST_MAPPINGS = 20_000


@pytest.fixture(autouse=True)
def few_mappings():
    """Forget all compiled functions before there are too many; the cache on disk still has them."""
    yield
    if MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()


# Long modules first, so that no worker is left alone with one.
LONG = (
    "test_stirling_report",
    "test_minimum_work",
    "test_brownian_cycle",
    "test_brownian_drive",
    "test_potentials",
    "test_brownian_drude",
    "test_engine",
    "test_potts_cycles",
    "test_documents",
    "test_cli",
    "test_potts_stationary",
)
# Modules whose tests share too little to be kept on one worker. The others are, with their fixtures and compilations.
SPREAD = ("test_documents", "test_validation")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.module.__name__) if item.module.__name__ in LONG else len(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """xdist's own groups are not used: from pytest 9.2 on, xdist 3.8 ignores them in silence."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.split("::")[0]
            return nodeid if Path(module).stem in SPREAD else module

    config.option.loadscopereorder = False
    return ByModule(config, log)
