"""Driven solves as labelled datasets."""

import warnings
from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np

from jaxthermo._results import JaxthermoWarning
from jaxthermo._status import Status, words
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.promise import course_held
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

VARIABLES = {
    "beta": ("1/energy", "inverse temperature of the bath"),
    "x": ("energy/X", "field x"),
    "X": ("X", "<X(q)>"),
    "U": ("energy", "internal energy <p^2>/2m + <U(q)>"),
    "H": ("energy", "enthalpy U - x X"),
    "norm": ("1", "int W dq dp"),
    "q": ("length", "<q>"),
    "q2": ("length^2", "<q^2>"),
    "p2": ("momentum^2", "<p^2>"),
    "qp": ("action", "<qp + pq>/2"),
    "purity": ("1", "2 pi hbar int W^2"),
    "min_wigner": ("1/action", "lowest value of W"),
    "edge": ("1", "largest value on the rim of the grid over the largest in it"),
    "coarse": ("1", "largest Fourier coefficient of the highest waves of the grid over the largest of all"),
    "tail": ("1", "largest member of the last level over the largest of the first"),
    "work": ("energy", "work done on the oscillator, -int X dx"),
    "heat": ("energy", "heat into the oscillator, int (dU - x dX)"),
    "bath_heat": ("energy", "heat from the currents through the bath's operators"),
    "work_int": ("1", "dimensionless intensive work, int (U dbeta - X d(beta x))"),
    "work_ext": ("1", "dimensionless extensive work, int (U dbeta + beta x dX)"),
    "heat_int": ("1", "dimensionless intensive heat, int (beta dU + X d(beta x))"),
    "heat_ext": ("1", "dimensionless extensive heat, int (beta dU - beta x dX)"),
}


def work_and_heat(beta: Any, x: Any, X: Any, U: Any, totals: Any) -> dict[str, Any]:
    """Cumulated work and heat from the running integrals, by parts, so that their sums are exact differences."""
    x_moved, u_dbeta, scaled_moved = totals[:, 0], totals[:, 1], totals[:, 2]
    scaled = beta * x

    def since(values: Any) -> Any:
        return values - values[0]

    work_int = u_dbeta - scaled_moved
    work_ext = u_dbeta + since(scaled * X) - scaled_moved
    return {
        "work": -x_moved,
        "heat": since(U) - (since(x * X) - x_moved),
        "bath_heat": totals[:, 3],
        "work_int": work_int,
        "work_ext": work_ext,
        "heat_int": since(beta * U) - work_int,
        "heat_ext": since(beta * U) - work_ext,
    }


_held = eqx.filter_jit(course_held)


def labelled(
    oscillator: Oscillator, grid: Any, ts: Any, done: Any, extra: dict[str, Any], closed: bool = False
) -> "xarray.Dataset":
    """A dataset over time from a finished `Course`; `closed` for that of a stationary cycle."""
    import xarray

    m = done.measured
    names = ("X", "U", "norm", "q", "q2", "p2", "qp", "purity", "min_wigner", "edge", "coarse", "tail")
    series = {"beta": done.beta, "x": done.x, **{name: getattr(m, name) for name in names}}
    series["H"] = m.U - done.x * m.X
    series |= work_and_heat(done.beta, done.x, m.X, m.U, done.totals)
    series = {name: np.asarray(series[name]) for name in VARIABLES}
    dataset = xarray.Dataset(
        {name: ("time", values) for name, values in series.items()},
        coords={"time": ("time", np.asarray(ts), {"units": "time", "long_name": "time"})},
    )
    for name, (units, long_name) in VARIABLES.items():
        dataset[name].attrs = {"units": units, "long_name": long_name}
    if done.history is not None:
        dataset["members"] = (("time", "momentum", "member", "position"), np.asarray(done.history))
        dataset["members"].attrs = {
            "units": "1/action",
            "long_name": "members of the hierarchy, in the library's frame",
        }
        dataset = dataset.assign_coords(momentum=np.asarray(grid.p), position=np.asarray(grid.q))
    edge = float(np.nanmax(series["edge"]))
    code = int(_held(done, oscillator, closed))
    residual = np.nanmax(np.abs(series["H"] - series["H"][0] - series["work"] - series["bath_heat"]))
    dataset.attrs = {
        "status": words(code),
        "steps": int(done.steps),
        "first_law_residual": float(residual),
        "edge": edge,
        "coarse": float(np.nanmax(series["coarse"])),
        "tail": float(np.nanmax(series["tail"])),
        **provenance({**parameters(oscillator, grid), **extra}),
    }
    return dataset


def warn_unless_ok(verb: str, status: str) -> None:
    """One Python warning where a dataset is not what its function promises."""
    if status == Status.ok.word:
        return
    message = next((f"{member.word}. {member.message}" for member in Status if member.word == status), status)
    warnings.warn(f"{verb}: {message}", JaxthermoWarning, stacklevel=3)


def parameters(oscillator: Oscillator, grid: Any) -> dict[str, Any]:
    """What a reader needs to run it again."""
    bath = oscillator.bath
    return {
        "quantum": oscillator.quantum,
        "potential": oscillator.potential,
        "coordinate": oscillator.coordinate,
        "mass": float(oscillator.mass),
        "hbar": float(oscillator.hbar),
        "bath": bath,
        "poles": bath.poles,
        "depth": bath.depth,
        "grid": {name: float(getattr(grid, name)) for name in ("q_max", "dq", "p_max", "dp")},
    }
