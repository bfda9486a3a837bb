"""jaxthermo: GPU-accelerated, differentiable thermodynamics far from equilibrium.

What it exports stands in `__init__.pyi`. Each name is loaded when it is first asked for: work with rings loads nothing
of the oscillator, and only `jt.plot` needs Matplotlib.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
