"""The least time that a program's arithmetic takes on this machine: operations counted, rates measured.

`operations` reads a jaxpr: products of matrices by their flops, exponentials, logarithms, divisions, sines, and all
other elementwise operations by their number. `Rates` are those of one core, in loops that stay in its cache, compiled
by XLA; `floor_seconds` is the sum of numbers times rates. Copies, loops and waiting are not in it: they can be avoided.
Where a loop is short of that by more than the rate of copying explains, it is what XLA makes of it.
"""

import functools
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

KINDS = {
    "exponential": ("exp", "exp2", "expm1", "logistic", "tanh", "pow"),
    "logarithm": ("log", "log1p"),
    "division": ("div", "rem", "sqrt", "rsqrt"),
    "sine": ("sin", "cos", "tan"),
    "simple": (
        *("add", "sub", "mul", "max", "min", "neg", "abs", "sign", "select_n", "add_any", "integer_pow", "square"),
        *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not", "floor", "round", "is_finite", "clamp"),
        *("shift_left", "shift_right_logical", "shift_right_arithmetic", "cumsum", "cummax", "cumprod"),
        *("reduce_sum", "reduce_max", "reduce_min", "reduce_and", "reduce_or", "argmax", "argmin"),
    ),
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}
# Numbers in a loop that stays in the first-level cache, and how often it is repeated.
SIZE, LOOPS = 1536, 1000
MATRIX, COPIED = 512, 1 << 22
# Seconds of a stretch of calls whose processor time is measured together.
STRETCH = 0.3


class Rates(NamedTuple):
    """Nanoseconds of one core for one operation on a double, for a flop of a matrix product, and for a byte moved."""

    exponential: float
    logarithm: float
    division: float
    sine: float
    simple: float
    product: float
    byte: float


def operations(function: Callable[..., Any], *args: Any) -> Counter[str]:
    """Numbers of operations of each kind in function(*args).

    A loop without a known length counts as one turn, of a choice the dearer side.
    """
    return _counted(jax.make_jaxpr(function)(*args).jaxpr)


def floor_seconds(counts: Counter[str], rates: Rates, times: float = 1.0, cores: int = 1) -> float:
    """What so many repetitions of these operations take at least on so many cores."""
    return 1e-9 * times * sum(n * getattr(rates, kind) for kind, n in counts.items()) / cores


@functools.cache
def machine_rates() -> Rates:
    """This machine's, measured once in a process."""
    x = jnp.linspace(0.1, 0.9, SIZE)

    def each(body: Callable[[Any], Any], operations: int = 1) -> float:
        loop = jax.jit(lambda x: jax.lax.fori_loop(0, LOOPS, lambda _, x: body(x), x))
        return _fastest(loop, x) / (operations * LOOPS * SIZE)

    def sixteen(x: Any) -> Any:
        for _ in range(8):
            x = x * 0.99 + 0.3
        return x

    simple = each(sixteen, 16)
    a = jnp.ones((MATRIX, MATRIX))
    product = _fastest(jax.jit(lambda a: a @ a), a) / (2 * MATRIX**3)
    moved = _fastest(jax.jit(lambda x: x + 1.0), jnp.zeros(COPIED)) / (16 * COPIED)
    return Rates(
        exponential=each(lambda x: jnp.exp(-x)),
        logarithm=each(lambda x: jnp.log(x + 1.5)),
        division=each(lambda x: 1.0 / (x + 0.7)),
        sine=each(jnp.sin),
        simple=simple,
        product=product,
        byte=moved,
    )


def _fastest(function: Callable[..., Any], *args: Any) -> float:
    """Nanoseconds of processor time, which other processes on the machine do not add to."""
    return 1e9 * best_seconds(function, *args)[1]


def best_seconds(function: Callable[..., Any], *args: Any, stretches: int = 3) -> tuple[float, float]:
    """Wall seconds and processor seconds of a call, after one that compiles: of the fastest call and stretch of calls.

    What another thread has worked comes into the clock of the process late, so that a short call may seem to take none.
    """
    jax.block_until_ready(function(*args))
    walls, cpus = [], []
    for _ in range(stretches):
        begin, begin_cpu, before = time.perf_counter(), time.process_time(), len(walls)
        while len(walls) == before or time.perf_counter() - begin < STRETCH:
            wall = time.perf_counter()
            jax.block_until_ready(function(*args))
            walls.append(time.perf_counter() - wall)
        cpus.append((time.process_time() - begin_cpu) / (len(walls) - before))
    return min(walls), min(cpus)


def _counted(jaxpr: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name in KIND_OF:
            # A reduction works on what it is given.
            total[KIND_OF[name]] += max(math.prod(v.aval.shape) for v in (*equation.invars, *equation.outvars))
        elif name == "dot_general":
            total["product"] += _product_flops(equation)
        elif name == "cond":
            total += max((_counted(branch.jaxpr) for branch in params["branches"]), key=lambda c: sum(c.values()))
        elif name == "custom_linear_solve":
            total += _counted(params["jaxprs"].solve.jaxpr)
        else:
            times = params["length"] if name == "scan" else 1
            for inner in _inner(params, name):
                total += Counter({kind: times * n for kind, n in _counted(inner).items()})
    return total


def _inner(params: dict[str, Any], name: str) -> list[Any]:
    if name == "while":
        return [params["body_jaxpr"].jaxpr, params["cond_jaxpr"].jaxpr]
    found = (params.get(key) for key in ("jaxpr", "call_jaxpr", "fun_jaxpr", "call"))
    return [getattr(inner, "jaxpr", inner) for inner in found if inner is not None][:1]


def _product_flops(equation: Any) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
