"""Pictures of states in phase space: Wigner functions with their marginals, and films of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm

from jaxthermo.plot._data import Data, colour_bar, dataset_of, label, single
from jaxthermo.plot.styles import PALETTE, style

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation

    from jaxthermo.brownian.driven.runs import AbstractRun

# Blue where W is negative, which no classical density is.
COLOURS = "RdBu_r"
FAR = 1e-3
# What writes a film, by the ending of its name.
FILMS = {".gif": "pillow", ".mp4": "ffmpeg"}


def wigner(data: Data, axes: Axes | None = None, *, marginals: bool = True) -> Axes:
    """The Wigner function of a state, red where positive and blue where negative, with its marginals along the sides.

    data       a `jt.State`, or its dataset
    axes       Matplotlib axes; None: new ones
    marginals  whether to draw int W dp and int W dq along the lower and the left side
    Returns    the axes

    The view is cut to where |W| is above a thousandth of its largest value.
    """
    dataset = dataset_of(data, "wigner", "position", "momentum")
    values, q, p = (np.asarray(dataset[name]) for name in ("wigner", "position", "momentum"))
    panel = single(axes)
    image = panel.pcolormesh(q, p, values.T, cmap=COLOURS, norm=CenteredNorm(), shading="nearest", rasterized=True)
    if np.min(values) < -FAR * np.max(values):
        panel.contour(q, p, values.T, levels=[0.0], colors="black", linewidths=0.6)
    _cut(panel, values, q, p)
    if marginals:
        _marginals(panel, values, q, p)
    panel.set(xlabel=label(dataset.position), ylabel=label(dataset.momentum))
    colour_bar(panel, image, label=label(dataset.wigner))
    return panel


def wigner_animation(
    run: "AbstractRun", path: str | Path | None = None, *, every: int = 1, rate: int = 20
) -> "FuncAnimation":
    """A film of the Wigner function along a run that kept its states.

    run        a result of `jt.drive` or `jt.run_cycle` with `keep_states=True`
    path       where to write it, by its ending .gif or .mp4 (which needs ffmpeg); None: it is not written
    every      take every so many-th of the saved times
    rate       pictures a second
    Returns    a Matplotlib animation; in a notebook, `HTML(film.to_jshtml())` shows it
    Raises     ValueError if the run kept no states, or another ending is asked for
    """
    if path is not None and Path(path).suffix not in FILMS:
        raise ValueError(f"`path` must end in {' or '.join(FILMS)}, but is {str(path)!r}")
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    times = np.asarray(run.time)[::every]
    states = [run.state_at(float(time)) for time in times]
    largest = max(float(np.max(np.abs(np.asarray(state.wigner)))) for state in states)
    q, p = np.asarray(states[0].position), np.asarray(states[0].momentum)
    with style():
        fig = Figure(figsize=(4.6, 3.6), layout="constrained")
        panel = fig.subplots()
        norm = CenteredNorm(halfrange=largest)
        first = np.asarray(states[0].wigner)
        image = panel.pcolormesh(q, p, first.T, cmap=COLOURS, norm=norm, shading="nearest")
        _cut(panel, np.max([np.abs(np.asarray(state.wigner)) for state in states], axis=0), q, p)
        named = dataset_of(states[0], "wigner", "position", "momentum")
        panel.set(xlabel=label(named.position), ylabel=label(named.momentum))
        fig.colorbar(image, ax=panel, label=label(named.wigner))

    def draw(index: int) -> list[Any]:
        image.set_array(np.asarray(states[index].wigner).T)
        beta, x = float(states[index].beta), float(states[index].x)
        panel.set_title(rf"$t={times[index]:.2f}$,  $\beta={beta:.2f}$,  $x={x:.2f}$", loc="left")
        return [image]

    film = FuncAnimation(fig, draw, frames=len(states), interval=1000 / rate)
    if path is not None:
        film.save(str(path), writer=FILMS[Path(path).suffix], fps=rate)
    return film


def _cut(panel: Axes, values: np.ndarray, q: np.ndarray, p: np.ndarray) -> None:
    """Limits that hold all that can be seen."""
    seen = np.abs(values) > FAR * np.max(np.abs(values))
    for limits, mesh, axis in ((panel.set_xlim, q, 1), (panel.set_ylim, p, 0)):
        inside = mesh[np.any(seen, axis=axis)]
        limits(inside.min(), inside.max())


def _marginals(panel: Axes, values: np.ndarray, q: np.ndarray, p: np.ndarray) -> None:
    """Both densities as lines that take up to a fifth of the picture."""
    in_q, in_p = np.sum(values, axis=1), np.sum(values, axis=0)
    line: dict[str, Any] = {"color": PALETTE[0], "lw": 1.0}
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    panel.plot(q, low + 0.2 * (high - low) * in_q / in_q.max(), **line)
    panel.plot(left + 0.2 * (right - left) * in_p / in_p.max(), p, **line)
    panel.set(xlim=(left, right), ylim=(low, high))
