"""Python's garbage collector rests while the library is loaded."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """No collection of garbage inside, where it was on before; afterwards as before, also after an error.

    Loading makes many objects that live on, and no garbage. Each collection walks through all of them and through all
    of jax's: a quarter of the time of `import jaxthermo`.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
