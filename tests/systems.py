"""Canonical systems that the tests share: the same sizes and step counts, so that they share compiled programs too."""

from contextlib import contextmanager

import jax

import jaxthermo as jt

COMPILED = "/jax/core/compile/backend_compile_duration"


@contextmanager
def compilations():
    """A list that grows by one with each program that XLA compiles in the block."""
    done, active = [], [True]

    def listen(event, duration, **details):
        if event == COMPILED and active[0]:
            done.append(details.get("fun_name", event))

    # jax has no public way to take a listener away again.
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield done
    finally:
        active[0] = False


def interrupted_at(number, function):
    """The function, whose call of this number is interrupted, and that one only."""
    calls = []

    def called(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments)

    return called


# rings

RING_PREFACTOR = 0.1


def ring(force=1.0, q=3, energies=None):
    """The ring of Herpich & Esposito's figures: u = -1, G = 0.1, three states unless said otherwise."""
    return jt.PottsRing(q, -1.0, force, RING_PREFACTOR, energies)


# brownian

QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
# As many coefficients as the quartic has, so that both run in the same programs.
HARMONIC = jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.0])
# For equilibria of the quartic well at 0.5 < beta < 1.5, |x| < 1.5, to 1e-5 of the entropy; and finer.
SEARCH_GRID, FINER_GRID = jt.PhaseGrid(5.6, 0.4, 8.4, 0.7), jt.PhaseGrid(5.6, 0.35, 9.8, 0.7)
# For ramps of the harmonic well at beta = 1 and -0.5 < x < 1.5, to 1e-10.
RAMP_GRID = jt.PhaseGrid(8.0, 0.4, 8.0, 0.4)


def quartic(strength=1.0, grid=SEARCH_GRID):
    """The classical oscillator of Koyanagi & Tanimura's figures."""
    return jt.classical_oscillator(QUARTIC, strength, grid)


def harmonic(friction=1.0, grid=RAMP_GRID):
    """The classical oscillator whose optimal ramps are known; friction = strength^2."""
    return jt.classical_oscillator(HARMONIC, friction**0.5, grid)
