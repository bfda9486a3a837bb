"""What may be wrong with states and runs of the oscillator: grid, hierarchy, poles, laws of thermodynamics."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from jaxthermo.advice.findings import Finding, findings_of, lanes, largest, worst
from jaxthermo.brownian import Correlation, DrivenRun, PeriodicRun, RelaxationRates, Spectrum, State
from jaxthermo.brownian.accuracy import promise
from jaxthermo.brownian.accuracy.reach import canonical_density, energy_at
from jaxthermo.brownian.response.meshes import COARSE, EDGE

# From here on what twice as many poles would add to <p^2> is worth a word.
POLES_MATTER = 0.01
# From here on <q> is worth a word that is so many widths from that of the oscillator alone, and points of its mesh.
MOVED, LEVELS_MESH = 0.03, 241
# How much the bath's temperature may change while its slowest noise forgets.
FAST = 0.3
# Shares of the work, or of the heat, from which an error is worth a word.
LARGE_ERROR, TINY = 0.01, 1e-8
# A classical density may ring to this share of its peak where the grid is as fine as the promise asks.
NEGATIVE = -1e-4


@findings_of.register
def _(result: State) -> Iterator[Finding]:
    yield from _grid(result, 0, promise.EDGE, promise.COARSE)
    yield from _levels(result, promise.truncation(jnp.asarray(result.tail), result.oscillator.bath.depth or 1))
    yield from _poles(result, result.beta)
    yield from _wells(result)
    yield from _uncertainty(result)
    yield from _negative_density(result)


@findings_of.register(DrivenRun)
@findings_of.register(PeriodicRun)
def _(result: DrivenRun | PeriodicRun) -> Iterator[Finding]:
    weight = 1.0
    if isinstance(result, PeriodicRun) and np.ndim(result.status) == 0:
        weight = float(promise.weight_of_cycle(result, result.oscillator, result.work, result.tol))
    yield from _grid(result, 1, promise.COURSE_EDGE / weight, promise.COURSE_COARSE / weight)
    missed = worst(promise.course_truncation(result, result.oscillator), 1)
    yield from _levels(result, missed, promise.COURSE_TRUNCATED / weight)
    yield from _poles(result, np.max(np.asarray(result.beta)))
    yield from _uncertainty(result)
    yield from _speed(result)
    yield from _first_law(result)
    if isinstance(result, PeriodicRun):
        yield from _work(result)
        if result.switching_of is not None:
            yield from switching(np.asarray(result.work), np.asarray(result.switching_of))


@findings_of.register(Correlation)
@findings_of.register(Spectrum)
@findings_of.register(RelaxationRates)
def _(result: Correlation | Spectrum | RelaxationRates) -> Iterator[Finding]:
    axes = np.ndim(result.edge) - np.ndim(result.status)
    yield from _grid(result, axes, EDGE, COARSE)
    tail = jnp.asarray(worst(result.tail, axes))
    yield from _levels(result, promise.truncation(tail, result.oscillator.bath.depth or 1))


def _grid(result: Any, axes: int, edge_limit: float, coarse_limit: float) -> Iterator[Finding]:
    """What leaves the grid, or is too fine for it; `axes` are those over time."""
    edge, coarse = worst(result.edge, axes), worst(result.coarse, axes)
    # A run that is given a state has its grid.
    left_out = "`grid` and `state` out" if isinstance(result, DrivenRun) else "`grid` out"
    if np.any(found := edge > edge_limit):
        grow = promise.growth_to(np.max(edge), edge_limit)
        yield Finding(
            "edge",
            f"The state has {largest(edge)} of its peak on the rim of the grid{lanes(found)}; {edge_limit:.0e} is "
            "allowed.",
            f"Make `q_max` and `p_max` about {grow:.2g} times as large, or leave {left_out}.",
        )
    if np.any(found := coarse > coarse_limit):
        grow = promise.growth_to(np.max(coarse), coarse_limit)
        yield Finding(
            "coarse",
            f"The highest waves of the grid have {largest(coarse)} of the largest{lanes(found)}; {coarse_limit:.0e} is "
            "allowed.",
            f"Make `dq` and `dp` about {grow:.2g} times as small, or leave {left_out}.",
        )


def _levels(result: Any, missed: ArrayLike, limit: float = promise.PROMISED) -> Iterator[Finding]:
    """What the levels that were left out of the hierarchy may change, by so much."""
    oscillator = result.oscillator
    depth = oscillator.bath.depth
    if not depth or bool(np.all(oscillator.has_linear_forces())):
        return
    if np.any(found := np.asarray(missed) > limit):
        yield Finding(
            "tail",
            "The levels that are left out of the hierarchy may change moments by "
            f"{largest(np.asarray(missed))} of themselves{lanes(found)}.",
            f"Raise `depth` from {depth} to {depth + 1}, or leave it out.",
        )


def _poles(result: Any, beta: Any) -> Iterator[Finding]:
    """<p^2>, and energy and heat with it, depend on the number of poles."""
    oscillator = result.oscillator
    if not oscillator.quantum:
        return
    mass, hbar = float(np.max(oscillator.mass)), float(np.max(oscillator.hbar))
    q2, p2, q = (np.asarray(getattr(result, name)) for name in ("q2", "p2", "q"))
    narrowest = float(np.nanmax(np.abs(p2 / (q2 - q**2)))) / mass**2
    share = oscillator.bath.missing_noise(mass, hbar, narrowest, float(np.max(np.asarray(beta))))
    if share > POLES_MATTER:
        yield Finding(
            "poles",
            f"In a parabola as narrow, twice as many poles would change <p^2> by {share:.1%}. In an Ohmic bath <p^2> "
            "grows like the logarithm of their number, and U, heat and entropy grow with it; X, <q^2> and work "
            "converge.",
            "Compare energies at one number of `poles` only, or use `jt.DrudeBath`, where they converge.",
        )


def _wells(result: State) -> Iterator[Finding]:
    """<q> of an equilibrium against that of the oscillator alone, from its levels; one state, no batch.

    A bath moves the weight between wells only a little, if it has poles enough: -5 q^2 + 0.625 q^4 at beta = 1, x = 0.1
    and A = 0.3 is 0.16 widths off with one pole, 0.007 with two, and 0.0001 with four.
    """
    oscillator = result.oscillator
    if not oscillator.quantum or np.ndim(result.status) or not np.isfinite(result.residual):
        return
    grid = oscillator.grid
    if grid is None or bool(oscillator.has_linear_forces()):
        return
    q = np.linspace(-1.0, 1.0, LEVELS_MESH) * float(grid.q_max)
    numbers = float(result.beta), float(oscillator.mass), float(oscillator.hbar)
    alone = float(np.sum(q * canonical_density(energy_at(oscillator, q, float(result.x)), q, *numbers)[0]))
    mean = float(result.q)
    moved = abs(mean - alone) / float(np.sqrt(result.q2 - mean**2))
    if moved > MOVED:
        yield Finding(
            "wells",
            f"<q> is {mean:.4g}; that of the oscillator without its bath is {alone:.4g}, {moved:.2g} widths away. A "
            "strong coupling may do that, and so do too few poles where two wells share the particle.",
            "Compare with one more of the `poles`: if <q> moves back, take more until it rests.",
        )


def _uncertainty(result: Any) -> Iterator[Finding]:
    """Heisenberg's relation, which a truncated bath may break; a mean momentum can only make the product smaller."""
    oscillator = result.oscillator
    if not oscillator.quantum:
        return
    product = (np.asarray(result.q2) - np.asarray(result.q) ** 2) * np.asarray(result.p2)
    product = product / (np.min(np.asarray(oscillator.hbar)) ** 2 / 4.0)
    found = np.any(product < 1.0 - 1e-6, axis=tuple(range(np.ndim(result.status), product.ndim)))
    if np.any(found):
        yield Finding(
            "uncertainty",
            f"The variances of q and p have a product of {np.min(product):.3g} times hbar^2/4{lanes(found)}. No state "
            "of a particle has less than 1.",
            "Use more `poles`; this temperature is low for so few.",
        )


def _negative_density(result: State) -> Iterator[Finding]:
    """A classical density, which a coarse grid makes ring."""
    if result.oscillator.quantum:
        return
    lowest, peak = np.asarray(result.min_wigner), np.max(np.asarray(result.wigner), axis=(-1, -2))
    if np.any(found := lowest < NEGATIVE * peak):
        what = f"The classical density is negative{lanes(found)}, down to {np.min(lowest / peak):.2g} of its peak."
        yield Finding("density", what, "Make `dq` and `dp` smaller, or leave `grid` out.")


def _speed(result: DrivenRun | PeriodicRun) -> Iterator[Finding]:
    """A temperature that changes while the bath's noise still remembers the old one."""
    oscillator = result.oscillator
    bath = oscillator.bath
    if not oscillator.quantum or not bath.modes or len(bath.own_betas()):
        return
    beta, time = (np.asarray(one) for one in (result.beta, result.time))
    rate = np.abs(np.diff(np.log(beta), axis=-1) / np.diff(time, axis=-1))
    slowest = float(np.min(np.asarray(bath.noises(float(np.max(beta)), float(np.max(oscillator.hbar)))[1])))
    change = float(np.max(rate, initial=0.0)) / slowest
    if change > FAST:
        yield Finding(
            "fast beta(t)",
            f"In the time 1/{slowest:.3g}, in which the slowest noise of the bath forgets, ln beta changes by "
            f"{change:.2g}.",
            "The bath is taken to be at beta(t) at each time. Make beta(t) slower, or compare with fixed temperatures "
            "and `jt.SwitchedBaths`.",
        )


def _first_law(result: DrivenRun | PeriodicRun) -> Iterator[Finding]:
    heat = result.cumulative_heat if isinstance(result, PeriodicRun) else result.heat
    exchanged, missing = worst(heat, 1), worst(result.first_law_residual)
    if np.any(found := (missing > LARGE_ERROR * exchanged) & (missing > TINY)):
        yield Finding(
            "first law",
            f"Heat by the bath's currents and by the first law differs by {largest(missing)}{lanes(found)}, where at "
            f"most {largest(exchanged)} was exchanged.",
            "Use more `steps` or a smaller `dt`, and a finer grid. `heat` and `work` do not depend on the currents.",
        )


def switching(work: np.ndarray, of_baths: np.ndarray) -> Iterator[Finding]:
    """Whether moving the windows of the baths takes more work than the field delivers."""
    taken = np.sum(of_baths, axis=-1)
    if np.any(found := (work < 0) & (work + taken > 0)):
        yield Finding(
            "switching",
            f"The field delivers the work {largest(np.where(found, -work, 0.0))}, but moving the windows of the baths "
            f"takes {largest(np.where(found, taken, 0.0))}{lanes(found)}. Together this is no engine, so that "
            "`jt.search.efficiency` is negative or NaN.",
            "Use a longer period, weaker coupling, a larger `rise`, or a larger step of the field.",
        )


def _work(result: PeriodicRun) -> Iterator[Finding]:
    """How well the work of a cycle is known, and whether it runs the way round that its names say."""
    hot, cold = (getattr(result.cycle, name, None) for name in ("beta_hot", "beta_cold"))
    if hot is not None and cold is not None and np.any(found := np.asarray(hot) > np.asarray(cold)):
        yield Finding(
            "direction",
            f"beta_hot is above beta_cold{lanes(found)}: they are inverse temperatures.",
            "Swap them, unless a heat pump is meant.",
        )
    work, step = worst(result.work), worst(result.step_error)
    if np.any(found := step > LARGE_ERROR * work):
        what = f"The time step may have changed the work by {largest(step)}{lanes(found)}; it is {largest(work)}."
        yield Finding("time step", what, "Lower `tol`, or give more `steps`.")
    swing = promise.swing_of(np.asarray(result.U), work, np)
    kinetic = np.mean(np.asarray(result.p2), axis=-1) / np.asarray(result.oscillator.mass)
    promised = promise.promised_error(swing, kinetic, np.asarray(result.tol), np)
    if np.any(found := promised > LARGE_ERROR * work):
        lower = "Lower `tol`, and below 1e-5 give a larger and finer grid and a larger depth too."
        yield Finding(
            "small work",
            f"The work is {largest(work)} and its promised error {largest(promised)}{lanes(found)}.",
            f"{lower} Strokes out and back nearly cancel here.",
        )
