"""What all results have in common: status, repr, dataset, vmap."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Int

import jaxthermo as jt
from jaxthermo._results import AbstractResult, JaxthermoWarning, quantity, warn_unless_ok
from jaxthermo._sparkline import sparkline
from jaxthermo._status import MESSAGES, Status, first_problem, status_if, words


class Decay(AbstractResult):
    """A small result: x(t) = exp(-rate t)."""

    time: Float[Array, "*batch times"] = quantity("time", "time", ("time",), coordinate=True)
    x: Float[Array, "*batch times"] = quantity("length", "position", ("time",))
    end: Float[Array, "*batch"] = quantity("length", "last position", main=True)
    rate: Float[Array, "*batch"]
    status: Int[Array, "*batch"]
    stats: dict


class Series(AbstractResult):
    """A result with a series that is shown."""

    time: Float[Array, "*batch times"] = quantity("time", "time", ("time",), coordinate=True)
    x: Float[Array, "*batch times"] = quantity("length", "position", ("time",), main=True)
    status: Int[Array, "*batch"]
    stats: dict


def decay(rate):
    time = jnp.linspace(0.0, 1.0, 5)
    x = jnp.exp(-rate * time)
    status = first_problem(
        status_if(~jnp.isfinite(x[-1]), Status.not_finite), status_if(rate < 0, Status.invalid_input)
    )
    return Decay(time, x, x[-1], rate, status, {"steps": jnp.asarray(4)})


def test_every_status_has_a_message_and_a_word():
    assert set(MESSAGES) == set(Status)
    assert Status.max_steps_reached.word == "max steps reached" and Status.ok.message
    assert [int(member) for member in Status] == list(range(len(Status)))  # codes index the words


def test_first_problem_goes_lane_by_lane():
    found = first_problem(jnp.array([0, 0, 4]), Status.ok, jnp.array([0, 1, 2]))
    np.testing.assert_array_equal(found, [Status.ok, Status.max_steps_reached, Status.not_converged])


def test_result_is_a_pytree_of_one_lane_or_many():
    one, many = decay(jnp.asarray(1.0)), jax.vmap(decay)(jnp.array([1.0, -2.0]))
    assert bool(one.ok) and one.outcome == "ok"
    np.testing.assert_array_equal(many.ok, [True, False])
    assert list(many.outcome) == ["ok", "invalid input"]
    slope = jax.grad(lambda rate: decay(rate).end)(jnp.asarray(1.0))
    assert slope == pytest.approx(-np.exp(-1.0))
    np.testing.assert_allclose(jax.jit(decay)(jnp.asarray(1.0)).x, one.x)


def test_dataset_has_units_axes_status_and_provenance():
    dataset = decay(jnp.asarray(1.0)).to_dataset()
    assert dataset.x.dims == ("time",) and dataset.x.attrs["units"] == "length" and "time" in dataset.coords
    assert dataset.attrs["status"] == "ok" and dataset.attrs["steps"] == 4 and "jax_version" in dataset.attrs
    assert '"rate": 1.0' in dataset.attrs["parameters"]
    batch = jax.vmap(decay)(jnp.array([1.0, -2.0])).to_dataset()
    assert batch.x.dims == ("lane_0", "time") and batch.status.dims == ("lane_0",)
    assert "invalid_input" in batch.status.attrs["flag_meanings"]


def test_dataset_is_refused_inside_a_transformation():
    with pytest.raises(ValueError, match="to_dataset"):
        jax.jit(lambda rate: decay(rate).to_dataset())(1.0)


def test_prints_outcome_and_numbers():
    text = repr(decay(jnp.asarray(1.0)))
    assert "ok" in text and "0.36787944 length" in text and "steps" in text
    assert Status.invalid_input.message in repr(decay(jnp.asarray(-1.0)))
    assert "1 ok, 1 invalid input" in repr(jax.vmap(decay)(jnp.array([1.0, -2.0])))
    assert "-0" not in repr(Series(jnp.zeros(2), jnp.asarray([-0.0, -0.0]), jnp.asarray(0), {}))
    assert "<table>" in decay(jnp.asarray(1.0))._repr_html_()
    jax.jit(lambda rate: (repr(decay(rate)), rate)[1])(1.0)


def test_a_notebook_shows_series_as_small_lines():
    """As SVG of this library's own; what is unknown, missing or a single number is left out."""
    shown = Series(jnp.linspace(0.0, 1.0, 5), jnp.array([0.0, 1.0, jnp.nan, 3.0, 4.0]), jnp.asarray(0), {})
    text = shown._repr_html_()
    assert text.count("<svg") == 1 and "M0.0 24.0L30.0 18.0M90.0 6.0L120.0 0.0" in text
    assert "<svg" not in decay(jnp.asarray(1.0))._repr_html_()
    many = jax.vmap(lambda shift: eqx.tree_at(lambda s: s.x, shown, shown.x + shift))(jnp.arange(2.0))
    assert "<svg" not in many._repr_html_() and "<svg" not in sparkline(np.zeros(3), np.full(3, np.nan))
    jax.jit(lambda x: (eqx.tree_at(lambda s: s.x, shown, x)._repr_html_(), x)[1])(shown.x)
    assert "M0.0 12.0L120.0 12.0" in sparkline(np.arange(2), np.ones(2))


def test_codes_are_printed_as_words():
    class Ended(AbstractResult):
        search_status: Int[Array, ""] = quantity("1", "how the search ended", codes=Status)
        status: Int[Array, ""]
        stats: dict

    code = jnp.asarray(int(Status.plateau))
    assert "search_status            plateau  (how the search ended)" in repr(Ended(code, code, {}))

    class Rows(AbstractResult):
        row: Int[Array, "*batch row"] = quantity("1", "which", ("row",), main=True, codes=Status, coordinate=True)
        status: Int[Array, "*batch"]
        stats: dict

    rows = jnp.asarray([int(Status.plateau), 0])
    for kinds in (rows, jnp.stack([rows, rows])):
        assert "plateau, ok  (which)" in repr(Rows(kinds, jnp.zeros(kinds.shape[:-1], int), {}))


def test_a_warning_points_at_the_line_outside_the_library(recwarn):
    """However many verbs of the library lie between, and also where the library calls back."""
    inner = {"__name__": "jaxthermo.inner", "warn_unless_ok": warn_unless_ok}
    exec("def verb(result):\n    warn_unless_ok(result)\n\ndef search(f, result):\n    f(result)", inner)
    bad = decay(jnp.asarray(-1.0))
    inner["verb"](bad)
    inner["search"](inner["verb"], bad)
    inner["search"](lambda result: inner["verb"](result), bad)
    own = [warning for warning in recwarn if issubclass(warning.category, JaxthermoWarning)]
    assert [warning.filename for warning in own] == [__file__] * 3
    first = own[0].lineno
    assert [warning.lineno - first for warning in own] == [0, 1, 2]


def test_warns_once_for_each_trouble_and_not_when_ok():
    warn_unless_ok(decay(jnp.asarray(1.0)))
    with pytest.warns(JaxthermoWarning, match="invalid input"):
        warn_unless_ok(decay(jnp.asarray(-1.0)))


def test_words_of_a_batch():
    np.testing.assert_array_equal(words(np.array([0, 6])), ["ok", "not periodic"])


OSCILLATOR = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 1.0]), 1.0)


@pytest.mark.parametrize(
    ("search", "instead"),
    [
        (lambda x: jt.potts.maximum_power(3, -1.0, 1.0, x), "jt.potts.stationary"),
        (lambda x: jt.potts.attractors(jt.PottsRing(3, -1.0, x), 4.0), "jt.potts.stationary"),
        (lambda x: jt.potts.phase_diagram(3, -1.0, jnp.stack([x, 2.0 * x]), [1.0]), "jt.potts.stationary"),
        (lambda x: jt.optimal_ramp(OSCILLATOR, 1.0, 0.0, x, 2.0, 1), "jt.minimum_work"),
    ],
    ids=["maximum_power", "attractors", "phase_diagram", "optimal_ramp"],
)
def test_searches_that_branch_on_values_say_what_may_be_traced(search, instead):
    with pytest.raises(ValueError, match=f"needs known values: .*`{instead}"):
        jax.eval_shape(search, 1.0)
