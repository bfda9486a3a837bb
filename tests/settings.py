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

# What one worker has compiled, the others load, and so do the documents' processes, notebooks and other clones. Without
# a limit of size there is no lock, and keeping small programs pays too; `few_programs` of conftest.py is the limit.
os.environ[cache.MAX_SIZE_VARIABLE] = str(cache.NO_LIMIT)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
FOLDER = cache.enable_cache(cache.user_folder() / "tests")
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(FOLDER)
# Processes that use the folder without `enable_cache` print no false alarms of XLA's either.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
