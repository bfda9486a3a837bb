"""What a hurried user types by mistake is refused at the door, by the name of the argument.

The suite's own checks of types refuse text before the library sees it, so its doors are tried by themselves.
"""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.checks import as_float, require_numbers, require_scalar, require_times
from jaxthermo.protocols.schedules import as_schedule
from jaxthermo.search.free_parameters import _sides

RING = jt.PottsRing(3, -1.0, 1.0, 0.1)
START, TIMES = [0.5, 0.3, 0.2], [0.0, 1.0]


# NumPy would read "4" as 4.
@pytest.mark.parametrize("value", ["4", "x", ["1", "2"], ("1", 2.0), [["1", "2"]]])
@pytest.mark.parametrize("door", [require_numbers, require_scalar, require_times])
def test_text_is_no_number(door, value):
    with pytest.raises(ValueError, match="`given` must be"):
        door("given", value)


def test_numbers_of_any_kind_are_numbers():
    for value in (1, True, 1.0, np.float32(1), jnp.ones(()), [1, np.float64(1)], (1.0, jnp.ones(())), range(2)):
        assert require_numbers("x", value).dtype == as_float(0.0).dtype


@pytest.mark.parametrize("function", [np.sin, math.sin])
def test_a_function_that_jax_cannot_trace_is_told_apart(function):
    wanted = r"`{}` must be a function that jax can trace: write jax\.numpy for numpy or math"
    with pytest.raises(ValueError, match=wanted.format("beta")):
        jt.potts.evolve(RING, lambda t: 2.0 + function(t), START, TIMES)
    with pytest.raises(ValueError, match=wanted.format("force")):
        jt.PottsRing(3, coupling=-1.0, force=lambda t: function(t))


def test_a_function_that_gives_no_number_is_told_apart():
    with pytest.raises(ValueError, match="`beta` must be numbers, or functions of time that give numbers"):
        jt.potts.evolve(RING, lambda t: "cold", START, TIMES)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda q, p: q**2, r"but is called with \(q, p\)"),
        (lambda q: jnp.array([q, q]), r"but gives an array of shape \(2,\)"),
        (lambda q: "steep", "not a valid JAX type"),
    ],
)
def test_a_function_that_gives_no_single_number_is_refused_by_the_argument(function, why):
    wanted = "must be a function of {} alone that gives one number"
    with pytest.raises(ValueError, match=f"`potential` {wanted.format('q')}.*{why}"):
        jt.classical_oscillator(function, 1.0)
    with pytest.raises(ValueError, match=f"`beta` {wanted.format('time')}.*{why}"):
        as_schedule("beta", function)


def test_a_name_that_is_almost_right_is_told():
    with pytest.raises(AttributeError) as caught:
        jt.equilibirum  # noqa: B018
    # What Python needs for its "Did you mean: 'equilibrium'?"
    assert caught.value.name == "equilibirum" and caught.value.obj is jt and "equilibrium" in dir(jt)


def test_a_room_lists_what_it_exports_and_not_its_files():
    for room in ("brownian", "jumps", "plot", "potts", "protocols", "scans", "search", "thermo"):
        module = getattr(jt, room)
        assert dir(module) == sorted(module.__all__)


def test_text_is_no_bound():
    with pytest.raises(ValueError, match=r"`bounds` must be \(low, high\) of shape \(\) for x_end"):
        _sides("x_end", ("0", 1.0), ())


def test_a_film_has_an_ending_that_can_be_written():
    with pytest.raises(ValueError, match=r"`path` must end in \.gif or \.mp4, but is 'film.avi'"):
        jt.plot.wigner_animation(None, "film.avi")
