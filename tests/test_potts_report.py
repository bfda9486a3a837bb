"""The reproduced driven rings, on sizes that a test can afford."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray

import jaxthermo as jt
from jaxthermo.papers import reproduction
from jaxthermo.papers.rings import (
    data as rings_data,
    facts,
    figures as rings_figures,
    lanes,
    levels,
    limits,
    paper as rings,
    unequal,
)
from jaxthermo.papers.rings.numbers import RingNumbers
from jaxthermo.potts import Phase
from jaxthermo.potts.edges import Place

# One q, since each compiles its own programs.
Q = 3
SCOPE = rings.Scope(
    portraits=(Q,),
    work=(Q,),
    landscapes=(Q,),
    optima=(),
    followed=(),
    formed=(),
    units=(1, 2, 4),
    work_points=21,
    landscape_points=(8, 6),
    unequal=(np.array([0.0, 0.02, 2.0]), np.array([4.0, 9.0])),
)
ITEMS = ["fig1", "fig2", "levels", "unequal"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("potts")
    patch = pytest.MonkeyPatch()
    patch.setattr(rings, "COARSE", SCOPE)
    yield out, reproduction.reproduce(rings.PAPER, out, items=ITEMS)
    patch.undo()


def work(made):
    return made[1].made.data[f"potts fig2, q = {Q}"]


def test_reproduction_writes_what_it_says_and_reuses_it(made, monkeypatch):
    out, found = made
    names = {path.name for path in found.files}
    assert {"potts_fig1.png", "potts_fig1.svg", "potts_fig2.svg", "potts_levels.md", "potts_fig2.zarr"} <= names
    assert all(path.exists() for path in found.files) and "Fig. 2: work saved" in found.page.read_text()
    monkeypatch.setattr(rings_data, "attractors", lambda *_: pytest.fail("computed again"))
    again = reproduction.reproduce(rings.PAPER, out, items=ITEMS)
    assert again.made.reused == len(found.made.data)
    for name, dataset in found.made.data.items():
        xarray.testing.assert_identical(again.made.data[name], dataset)


def test_stored_data_are_labelled(made):
    out, _ = made
    stored = xarray.open_zarr(out / "potts_fig2.zarr", group=f"q{Q}", consolidated=False)
    np.testing.assert_array_equal(stored.work_current, work(made).work_current)
    assert all(stored[name].attrs["units"] and stored[name].attrs["long_name"] for name in stored.variables)
    assert {"jaxthermo_version", "git_commit", "device_kind", "parameters", "seconds"} <= set(stored.attrs)


def test_figure_2_is_zero_below_the_critical_beta_and_positive_above(made):
    d = work(made)
    saved = d.uniform_work_current - d.work_current
    assert float(abs(saved[d.beta < Q]).max()) < 1e-8
    above = (d.beta > Q) & (d.phase != Phase.undecided)
    assert float(saved[above].min()) > 0
    assert np.all(d.phase[d.beta < Q] == Phase.uniform) and np.any(d.phase == Phase.limit_cycle)


def test_limits_at_the_transitions_agree_with_what_is_known_exactly(made):
    d = work(made)
    onset = d.sel(edge="beta_c1")
    # The cycle is born with the uniform state's work; the localised state with that of its fold, where the cycle ends.
    np.testing.assert_allclose(onset.limit, rings_figures.uniform_at(np.array(3.0)), rtol=1e-4)
    np.testing.assert_allclose(d.sel(edge="fold").limit, float(d.work_at_birth), rtol=1e-3)
    assert onset.phase_beside.values.tolist() == [Phase.uniform, Phase.limit_cycle]
    assert d.sel(edge="fold").phase_beside.values.tolist() == [Phase.limit_cycle, Phase.localised]


def test_a_limit_of_points_of_two_phases_is_unknown(monkeypatch):
    reached = np.full(20, int(Phase.uniform))
    found = SimpleNamespace(work_current=np.linspace(1.0, 2.0, 20), period=np.ones(20))
    monkeypatch.setattr(limits, "attractors", lambda *_, **__: found)
    monkeypatch.setattr(limits, "phases", lambda _: reached)
    assert np.all(np.isfinite(limits.sides(2, 2.0, 2.0).limit))
    # One of the five points on the cold side of beta_c1 is of another phase.
    reached[7] = int(Phase.localised)
    known = np.isfinite(limits.sides(2, 2.0, 2.0).limit)
    assert known.values.tolist() == [[True, False], [True, True]]


def test_levels_hold_the_identities_of_appendix_b(made):
    still, moving = (made[1].made.data[f"potts {name}"] for name in ("levels", "relaxation"))
    rows = {(equation, words): value for equation, words, value, _ in levels.identities(still, moving)}
    for (_, words), value in rows.items():
        if "differs" in words:
            assert value > 1e-3
        elif "smallest" in words:
            assert value > -1e-12
        else:
            assert value < 1e-7
    assert levels.mesostates(2) == 6 and "mean field" in levels.text(still, moving)


def test_unequal_states_lose_the_cycle_and_then_all_but_one_state(made):
    d = made[1].made.data[f"potts unequal, q = {Q}"]
    assert int(d.number.sel(spread=0.0, beta=9.0)) == 3 and int(d.number.sel(spread=2.0, beta=9.0)) == 1
    assert d.fullest.sel(spread=0.0, beta=9.0).values.tolist() == [1, 2, 3]
    cycling = (d.kind.sel(beta=4.0) == int(jt.potts.AttractorKind.limit_cycle)).any("start")
    assert cycling.values.tolist() == [True, True, False]


def test_figure_3_is_the_single_unit_below_the_critical_beta():
    d = rings_data.landscape(Q, np.array([1.0, 2.5]), np.array([-0.6, -0.3]))
    single = 0.2 * np.sinh(0.5 * d.beta * (1.0 + d.force2)) * -d.force2
    np.testing.assert_allclose(d.power, single, rtol=1e-8)


def optimum(q, power, efficiency, phase, place):
    names = {"power": power, "efficiency": efficiency, "phase": int(phase), "place": int(place)}
    return lanes.labelled({name: ((), value, "1", name) for name, value in names.items()}, {})


def numbers(made, optima):
    data = made[1].made.data
    return RingNumbers(
        portraits={Q: data[f"potts fig1, q = {Q}"]},
        work={Q: work(made)},
        landscapes={},
        optima=optima,
        levels=data["potts levels"],
        relaxation=data["potts relaxation"],
        unequal=data[f"potts unequal, q = {Q}"],
        growth=xarray.Dataset(),
        followed={},
        closed=facts.closed_forms(),
        laws=xarray.Dataset(),
        forms=xarray.Dataset(),
    )


def test_claims_are_judged_by_numbers(made):
    cycle = Phase.limit_cycle
    optima = {
        2: optimum(2, 0.05, 0.48, Phase.uniform, Place.onset),
        3: optimum(3, 0.08, 0.42, cycle, Place.interior),
        4: optimum(4, 0.12, 0.41, Phase.clustered, Place.onset),
    }
    given = numbers(made, optima)
    # Names of statements and of items must be the pages' own.
    assert len(rings.CLAIMS) >= 50 and {claim.item for claim in rings.CLAIMS} <= set(rings.PAPER.items(False))
    judged = {claim.words: claim.judge for claim in rings.CLAIMS}
    agree = (
        "q + beta_c u = 0 for every q.",
        "Eigenvalues at beta_c1 are 2ic sin(2 pi k/q).",
        "First-order correction of the eigenvalues.",
        "At beta_c2 the cycle ends in an infinite-period bifurcation.",
        "Below beta_c1 W = 2 G f sinh(beta f/2), for every q.",
        "Attraction is always beneficial: W < W_1.",
        "A kink at beta_c1 for every q.",
        "The largest power grows with q overall.",
        "Energy, heat and work are equal on both levels.",
        "At beta_c1 the linearised rates are skew-symmetric and circulant.",
        "Real parts change sign at beta_c1 from negative to positive, or stay 0.",
        "On the limit cycle the units move together: they synchronise.",
        "The ring takes work, W > 0, and gives it to the bath as heat, Q < 0.",
    )
    for words in agree:
        assert judged[words](given).holds is True, (words, judged[words](given))
    # Eq. (11) lacks a factor q, and the work of q = 4 exceeds that of q = 3 by half: no plateau.
    for words in (
        "At low temperature W = exp(beta u/2) W_1.",
        "It jumps from even to odd q and then rests on plateaus.",
    ):
        verdict = judged[words](given)
        assert verdict.holds is False and verdict.why
    assert judged["The EMP decreases monotonically."](given).computed == "2: 0.480, 3: 0.420, 4: 0.410"


def test_closed_forms_are_the_librarys(made):
    d = facts.closed_forms()
    assert float(d.slope_error.max()) < 1e-12 and float(d.imaginary_error.max()) < 1e-11
    assert float(d.repelled.max()) < 0
    assert facts._best_load(1e-3) == pytest.approx(0.5, abs=1e-5)
    assert unequal.Q == Q
