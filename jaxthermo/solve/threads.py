"""Linear algebra of small matrices on the host, in one thread."""

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, with one thread for NumPy's and SciPy's products while it runs.

    Threads of OpenBLAS wait for each other in a loop. For vectors of some 1e4 numbers that costs more than they save:
    where other programs run beside, five times the CPU seconds and the wall seconds.
    """

    @functools.wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _libraries("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return called


@functools.cache
def _libraries(with_scipy: bool) -> Any:
    """NumPy's, and SciPy's where that is loaded; it is found anew then."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
