"""jaxthermo: GPU-accelerated, differentiable thermodynamics far from equilibrium.

What it exports stands in `__init__.pyi`. Each name is loaded when it is first asked for: work with rings loads nothing
of the oscillator, and only `jt.plot` needs Matplotlib.
"""

import sys

import lazy_loader

__version__ = "0.3.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name not in __all__:
        # With the module and the name Python adds "Did you mean".
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=sys.modules[__name__])
    return _load(name)
