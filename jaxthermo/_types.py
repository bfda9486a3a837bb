"""The types of public arguments: what a user may pass, before it is checked and made an array."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import jax
import numpy as np
from jaxtyping import ArrayLike

# One number: a Python number, a NumPy scalar, or an array without axes, traced or not.
ScalarLike: TypeAlias = bool | int | float | np.generic | np.ndarray | jax.Array
# A whole number, such as a size or a count.
IntLike: TypeAlias = int | np.integer | np.ndarray | jax.Array
# A function of one array.
Function: TypeAlias = Callable[[jax.Array], ArrayLike | ScalarLike]
# A number, or a function of time: one of the library's schedules or any callable.
ScheduleLike: TypeAlias = ScalarLike | Function

# Numbers in a row, before they are made an array.
VectorLike: TypeAlias = ArrayLike | Sequence[ScalarLike] | Sequence[Sequence[ScalarLike]]
# A file or folder.
PathLike: TypeAlias = str | os.PathLike[str]
# What a result says about its cost, by name: counts, residuals, errors.
Stats: TypeAlias = Mapping[str, ScalarLike]
# One real number inside the library, after the checks at the door.
Real: TypeAlias = int | float | jax.Array

__all__ = ["ArrayLike", "Function", "IntLike", "PathLike", "Real", "ScalarLike", "ScheduleLike", "Stats", "VectorLike"]
