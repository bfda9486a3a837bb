"""Settings of jax and jaxthermo for the suite: double precision, strict types, checked arguments, the cache."""

import os

import jax
import jaxtyping

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
