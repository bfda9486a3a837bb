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


# rings

RING_PREFACTOR = 0.1


def ring(force=1.0, q=3, energies=None):
    """The ring of Herpich & Esposito's figures: u = -1, G = 0.1, three states unless said otherwise."""
    return jt.PottsRing(q, -1.0, force, RING_PREFACTOR, energies)
