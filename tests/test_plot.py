"""Pictures show the data they are given, with units on their axes, from results and from datasets alike."""

import jax
import numpy as np
import pytest
from matplotlib.contour import ContourSet
from PIL import Image

import jaxthermo as jt
from tests.systems import SEARCH_GRID, quartic, ring


@pytest.fixture(scope="module")
def trajectory():
    return jt.potts.evolve(ring(), 4.0, None, np.linspace(0.0, 20.0, 41))


@pytest.fixture(scope="module")
def run():
    cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=20.0)
    return jt.run_cycle(quartic(), cycle, steps=1, points=4, keep_states=True)


def drawn(panel, index=0):
    return panel.lines[index].get_xdata(), panel.lines[index].get_ydata()


def test_pictures_load_matplotlib_only_when_they_are_asked_for():
    assert jt.plot.wigner is jt.plot.phase_space.wigner
    with pytest.raises(AttributeError, match="no_such_thing"):
        jt.no_such_thing  # noqa: B018


def test_a_portrait_is_the_plane_of_the_first_two_occupations(trajectory):
    panel = jt.plot.portrait(trajectory)
    np.testing.assert_array_equal(drawn(panel), np.asarray(trajectory.occupation).T[:2])
    again = jt.plot.portrait(trajectory.to_dataset(), axes=panel, color="red")
    assert again is panel
    assert panel.lines[2].get_color() == "red"


def test_a_notebook_shows_a_picture_that_was_drawn_without_pyplot(trajectory):
    from IPython.core.formatters import DisplayFormatter

    shown, _ = DisplayFormatter().format(jt.plot.portrait(trajectory).get_figure())
    assert shown["image/png"].startswith(b"\x89PNG")


def test_the_triangle_has_the_states_at_its_corners():
    corners = jt.plot.rings._in_triangle(np.eye(3))
    np.testing.assert_allclose(np.hypot(*(side - np.roll(side, 1) for side in corners)), 1.0)


def test_only_three_states_have_a_triangle():
    five = jt.potts.evolve(ring(q=5), 4.0, None, np.linspace(0.0, 1.0, 3))
    with pytest.raises(ValueError, match="`simplex`"):
        jt.plot.portrait(five, simplex=True)


def test_an_attractor_has_one_line_for_each_state(trajectory):
    left, right = jt.plot.attractor(trajectory)
    assert len(left.lines) == len(right.lines) == 3
    assert left.get_xlabel() == "$t$  [time]"


def test_a_cycle_has_the_area_of_its_work(run):
    panel = jt.plot.work_diagram(run)
    X, x = drawn(panel)
    np.testing.assert_allclose(-np.trapezoid(X, x), run.work, rtol=0.05)
    assert panel.get_ylabel() == "$x$  [energy/X]"
    panels = jt.plot.cycle(run.to_dataset())
    np.testing.assert_array_equal(drawn(panels[1])[1], run.beta)
    assert len(panels) == 6


def test_curves_that_share_axes_have_colours_of_their_own(run):
    panel = jt.plot.work_diagram(run)
    for _ in range(2):
        jt.plot.work_diagram(run, axes=panel)
    assert len({line.get_color() for line in panel.get_lines()}) == 3


def test_a_wigner_function_with_its_marginals(run):
    state = run.final
    panel = jt.plot.wigner(state)
    np.testing.assert_array_equal(panel.collections[0].get_array(), np.asarray(state.wigner).T)
    q, height = drawn(panel)
    density = np.sum(np.asarray(state.wigner), axis=1)
    np.testing.assert_allclose((height - height.min()) / np.ptp(height), density / density.max(), atol=1e-3)
    np.testing.assert_array_equal(q, state.position)


def test_a_run_is_no_state_and_the_message_says_where_one_is(run):
    with pytest.raises(ValueError, match=r"run\.final\), or run\.state_at"):
        jt.plot.wigner(run)


def test_a_film_has_a_picture_for_each_time(run, tmp_path):
    path = tmp_path / "cycle.gif"
    jt.plot.wigner_animation(run, path, every=8)
    with Image.open(path) as film:
        assert film.n_frames == len(run.time[::8])


def test_phases_are_named_in_the_colour_bar():
    diagram = jt.potts.phase_diagram(3, -1.0, [2.0, 4.0], [0.5, 1.0], prefactor=0.1)
    panel = jt.plot.phase_diagram(diagram)
    np.testing.assert_array_equal(panel.collections[0].get_array(), diagram.phase)
    np.testing.assert_array_equal(drawn(panel)[1], [3.0, 3.0])
    bar = panel.get_figure().axes[-1]
    assert "limit cycle" in [text.get_text() for text in bar.get_yticklabels()]


def test_a_scan_shows_its_failed_lanes():
    def work(beta, force):
        return jt.potts.stationary(ring(force=force), beta).work_current

    found = jt.scan(work, beta=np.array([-1.0, 1.0, 2.0]), force=np.array([0.5, 1.0]))
    (line,) = jt.plot.scan(found.isel(force=0), "value")
    np.testing.assert_array_equal(line.lines[1].get_xdata(), [-1.0])
    (image,) = jt.plot.scan(found)  # the only quantity
    assert np.ma.getmaskarray(image.collections[0].get_array())[0].all()
    with pytest.raises(ValueError, match="`of`"):
        jt.plot.scan(found.isel(force=0, beta=0), "value")
    with pytest.raises(ValueError, match="one of value, twice"):
        jt.plot.scan(found.assign(twice=2.0 * found.value))


def test_a_signed_quantity_has_a_mark_at_zero():
    (line,) = jt.plot.scan(jt.scan(lambda a: a, a=np.linspace(-1.0, 2.0, 4)))
    assert any(len(one.get_xdata()) and not np.any(one.get_ydata()) for one in line.get_lines())
    (panel,) = jt.plot.scan(jt.scan(lambda a, b: a + b, a=np.linspace(-1.0, 2.0, 4), b=np.linspace(0.0, 1.0, 3)))
    (zero,) = [one for one in panel.collections if isinstance(one, ContourSet)]
    corners = np.concatenate([path.vertices for path in zero.get_paths()])
    np.testing.assert_allclose(corners.sum(axis=1), 0.0, atol=1e-12)


def test_a_search_shows_its_bounds():
    particle = quartic(grid=SEARCH_GRID)
    found = jt.minimum_work(particle, jt.equilibrium(particle, 0.7, 0.3), beta=1.0, x=0.8, order=2, dt=0.25)
    panel = jt.plot.search(found)
    np.testing.assert_array_equal(drawn(panel)[1], found.history)
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["upper bound", "lower bound"]
    figure = panel.get_figure()
    figure.draw_without_rendering()
    words = panel.yaxis.get_label().get_window_extent()
    assert figure.bbox.ymin <= words.ymin and words.ymax <= figure.bbox.ymax and figure.bbox.xmin <= words.xmin


def test_fluctuations(trajectory):
    paths = jt.potts.simulate(ring(), 2.0, 4, 1.0, 64, jax.random.key(0))
    panel = jt.plot.trajectories(paths, bins=8)
    assert len(panel.patches) == 8
    np.testing.assert_allclose(panel.lines[0].get_xdata()[0], np.mean(paths.work))
    with pytest.raises(ValueError, match="rate_function"):
        jt.plot.rate_function(trajectory)
