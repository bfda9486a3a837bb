"""How a calculation ended: one enumeration for the whole library, and what enumerations of codes have in common."""

from enum import IntEnum

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int

from jaxthermo._types import IntLike


class Code(IntEnum):
    """An enumeration whose integers results carry, so that they pass through jit, vmap and stores."""

    @property
    def word(self) -> str:
        """The member's name as words: "limit cycle"."""
        return self.name.replace("_", " ")

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """The words of all members in their order."""
        return tuple(member.word for member in cls)

    @classmethod
    def spelled(cls, codes: Int[Array, "..."] | np.ndarray | int) -> str | np.ndarray:
        """The word of a code; an array of words for an array of codes."""
        found = np.asarray(cls.words())[np.asarray(codes)]
        return str(found) if found.ndim == 0 else found


def coded(words: tuple[str, ...]) -> dict[str, str | list[int]]:
    """Attributes that spell out integer codes; codes, since zarr has no settled type for words."""
    return {"flag_values": list(range(len(words))), "flag_meanings": " ".join(word.replace(" ", "_") for word in words)}


class Status(Code):
    """How a calculation ended, as the integer that every result carries in `status`.

    Results hold arrays of these integers, so that they pass through jit, vmap and stores; compare them with a member,
    `result.status == jt.Status.ok`, or use `result.ok`. `message` says in words what a member means.

    Example
        >>> import jaxthermo as jt
        >>> jt.Status.grid_too_small.word
        'grid too small'
    """

    ok = 0
    max_steps_reached = 1
    solver_failed = 2
    not_finite = 3
    not_converged = 4
    undecided = 5
    not_periodic = 6
    grid_too_small = 7
    grid_too_coarse = 8
    hierarchy_too_shallow = 9
    time_step_too_long = 10
    diffusion_negative = 11
    first_law_violated = 12
    second_law_violated = 13
    plateau = 14
    below_exact_bound = 15
    no_cycle_found = 16
    max_jumps_reached = 17
    leaps_too_long = 18
    below_rounding_errors = 19
    invalid_input = 20
    no_density = 21
    interrupted = 22

    @property
    def message(self) -> str:
        """What happened, and what may help."""
        return MESSAGES[self]


MESSAGES = {
    Status.ok: "The result keeps what its function promises.",
    Status.max_steps_reached: "The limit of steps came before the end; allow more by `max_steps` or `steps`.",
    Status.solver_failed: "A step of the solver failed.",
    Status.not_finite: "A value is infinite or not a number.",
    Status.not_converged: "The iteration ended above its tolerance; see `residual`.",
    Status.undecided: "No attractor was identified; averages are those of the last stretch of the trajectory.",
    Status.not_periodic: "The state does not come back to itself; raise `max_cycles` or `max_periods`.",
    Status.grid_too_small: "The state reaches the rim of the grid; make `q_max` or `p_max` larger.",
    Status.grid_too_coarse: "The grid does not resolve the state; make `dq` or `dp` smaller.",
    Status.hierarchy_too_shallow: "The last level of the hierarchy is not small; raise `depth`.",
    Status.time_step_too_long: "The error of the time step is above the tolerance; use more steps.",
    Status.diffusion_negative: "The temperature falls so fast that the diffusion is negative: no well-posed equation.",
    Status.first_law_violated: "Heat counted in two ways differs by more than the tolerance.",
    Status.second_law_violated: "The entropy produced is negative beyond the tolerance.",
    Status.plateau: "The search gains nothing more, though its gradient is not zero.",
    Status.below_exact_bound: "The value lies below an exact bound by more than its error.",
    Status.no_cycle_found: "No limit cycle was found from here.",
    Status.max_jumps_reached: "The limit of jumps came before the end time.",
    Status.leaps_too_long: "Leaps were so long that counts would have become negative.",
    Status.below_rounding_errors: "The value asked for is smaller than its rounding error.",
    Status.invalid_input: "A parameter of this lane is impossible, such as a temperature below zero.",
    Status.no_density: "The solution has a negative variance, or far less uncertainty than hbar/2: too few `poles`.",
    Status.interrupted: "Ctrl-C came before the end; this is what was done until then.",
}

WORDS = Status.words()


def as_codes(status: IntLike) -> Int[Array, "..."]:
    """A member, or an array of codes, as an int32 array."""
    return jnp.asarray(status, jnp.int32)


def first_problem(*statuses: IntLike) -> Int[Array, "..."]:
    """The first of several statuses that is not ok, lane by lane; ok where all are."""
    found = as_codes(Status.ok)
    for status in reversed(statuses):
        status = as_codes(status)
        found = jnp.where(status != int(Status.ok), status, found)
    return found


def status_if(condition: ArrayLike, status: Status) -> Int[Array, "..."]:
    """`status` where the condition holds, ok elsewhere."""
    return jnp.where(jnp.asarray(condition), as_codes(status), as_codes(Status.ok))


def words(status: IntLike) -> str | np.ndarray:
    """A status in words; an array of words for a batch."""
    found = np.asarray(WORDS)[np.asarray(status)]
    return str(found) if found.ndim == 0 else found


def flags() -> dict[str, str | list[int]]:
    """Attributes that spell out stored codes."""
    return coded(WORDS)
