"""Models, baths, schedules: modules of parameters that print their values."""

import equinox as eqx
import jax
import numpy as np

from jaxthermo.checks import is_known

# Arrays up to this size are printed whole.
WHOLE = 12


class Parameters(eqx.Module):
    """A module of parameters, printed with their values as it was made."""

    def __repr__(self) -> str:
        own = [f"{name}={shown(value)}" for name, value in vars(self).items()]
        return f"{type(self).__name__}({', '.join(own)})"


def shown(value: object) -> str:
    """A value in a word or two: numbers as they are, large arrays by shape, functions by name."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    if isinstance(value, jax.Array | np.ndarray | np.generic) and is_known(value):
        array = np.asarray(value)
        return _number(array.tolist()) if array.size <= WHOLE else f"{array.dtype}{list(array.shape)}"
    if callable(value) and not isinstance(value, Parameters):
        return str(getattr(value, "__name__", "function"))
    return repr(value)


def _number(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_number, value))}]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
