"""A hash of what a function computes: its jaxpr and the constants it closes over, not its name.

The printed jaxpr will not do. It holds addresses of functions, and leaves out the values of large constants.
"""

import hashlib
import re
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

# Names of functions, and rules of derivation, which have been applied by the time a jaxpr is whole.
IGNORED = ("name", "debug_info", "jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "bwd", "ctx_mesh")
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


class Fingerprint(NamedTuple):
    """Hexadecimal digests of the operations, and of the constants that they use."""

    program: str
    constants: str


def fingerprint(program: ClosedJaxpr) -> Fingerprint:
    """Equal for equal computations, in every process with the same versions of the packages."""
    reader = _Reader()
    program_digest = reader.closed(program)
    return Fingerprint(program_digest, reader.constants.hexdigest())


class _Reader:
    """One walk over a jaxpr and all that it contains; each is read once, however often it occurs."""

    def __init__(self) -> None:
        self.constants = hashlib.sha256()
        self.known: dict[int, tuple[Any, str]] = {}

    def closed(self, program: ClosedJaxpr) -> str:
        if id(program) not in self.known:
            for value in program.consts:
                self.constants.update(_array(value))
            self.known[id(program)] = program, self.open(program.jaxpr)
        return self.known[id(program)][1]

    def open(self, jaxpr: Jaxpr) -> str:
        if id(jaxpr) in self.known:
            return self.known[id(jaxpr)][1]
        numbers: dict[Any, int] = {}

        def named(variable: Any) -> str:
            if isinstance(variable, Literal):
                value = np.asarray(variable.val)
                if value.ndim:
                    self.constants.update(_array(value))
                    return f"constant {value.dtype}{value.shape}"
                return f"{value.dtype}:{value.tobytes().hex()}"
            return f"{numbers.setdefault(variable, len(numbers))}:{variable.aval}"

        lines = [" ".join(map(named, (*jaxpr.constvars, *jaxpr.invars)))]
        for equation in jaxpr.eqns:
            inputs = " ".join(map(named, equation.invars))
            outputs = " ".join(map(named, equation.outvars))
            settings = [f"{k}={self.setting(v)}" for k, v in sorted(equation.params.items()) if k not in IGNORED]
            lines.append(f"{outputs} = {equation.primitive.name}[{', '.join(settings)}] {inputs}")
        lines.append(" ".join(map(named, jaxpr.outvars)))
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        self.known[id(jaxpr)] = jaxpr, digest
        return digest

    def setting(self, value: Any) -> str:
        """One parameter of an operation, without anything that differs from process to process."""
        if isinstance(value, ClosedJaxpr):
            return self.closed(value)
        if isinstance(value, Jaxpr):
            return self.open(value)
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {self.setting(v)}" for k, v in sorted(value.items(), key=str)) + "}"
        if isinstance(value, set | frozenset):
            return "{" + ", ".join(sorted(map(self.setting, value))) + "}"
        if isinstance(value, tuple | list):
            return f"{type(value).__name__}({', '.join(map(self.setting, value))})"
        if hasattr(value, "callback_func"):
            return f"callback {_code(value.callback_func)}"
        if isinstance(value, types.FunctionType | types.MethodType):
            return f"function {_code(value)}"
        if hasattr(value, "__array__"):
            self.constants.update(_array(value))
            return f"constant {value.dtype}{value.shape}"
        return _plain(value)


def _array(value: Any) -> bytes:
    array = np.asarray(value)
    return f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()


def _code(function: Callable[..., Any]) -> str:
    """What a Python function called back from a jaxpr does, as far as its code and what it closes over tell."""
    code = getattr(function, "__code__", None)
    if code is None:
        return _plain(function)
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _filled(cell)]
    plain = [repr(value) for value in cells if isinstance(value, int | float | complex | str | bytes | bool | None)]
    plain += [hashlib.sha256(_array(value)).hexdigest() for value in cells if isinstance(value, np.ndarray)]
    return hashlib.sha256(repr((_instructions(code), plain)).encode()).hexdigest()


def _plain(value: Any) -> str:
    return ADDRESS.sub("", repr(value))


def _instructions(code: types.CodeType) -> Any:
    constants = [
        _instructions(c) if isinstance(c, types.CodeType) else ADDRESS.sub("", repr(c)) for c in code.co_consts
    ]
    return code.co_code.hex(), constants, code.co_names


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
