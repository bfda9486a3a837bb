"""Settings of the whole suite. They come before jax and jaxthermo are imported, hence the order of this file."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# One cache per worker, because jax writes entries in place and another worker could read half of one.
CACHE = ROOT / ".cache" / "jax" / os.environ.get("PYTEST_XDIST_WORKER", "main")

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ["MPLBACKEND"] = "Agg"

import jax
import jaxtyping

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Held for good: uninstalling it would leave modules imported later unchecked.
HOOK = jaxtyping.install_import_hook("jaxthermo", "beartype.beartype")
