"""Trees that may hold functions beside arrays, held constant under differentiation."""

from typing import Any

import equinox as eqx
import jax


def frozen(tree: Any) -> Any:
    """The tree with `stop_gradient` on every array."""
    return jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf, tree)
