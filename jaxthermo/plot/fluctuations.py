"""Pictures of finite numbers of units: trajectories, rate functions, spectra of modes."""

from typing import Unpack

import numpy as np
from matplotlib.axes import Axes

from jaxthermo.plot._data import Data, LineStyle, dataset_of, label, single
from jaxthermo.plot.styles import PALETTE, next_colour


def trajectories(data: Data, axes: Axes | None = None, *, of: str = "work", bins: int = 40) -> Axes:
    """How a quantity is spread over trajectories, with its mean.

    data       a result of `simulate` or `tau_leap`, or its dataset
    axes       Matplotlib axes; None: new ones
    of         the quantity: "work", "entropy_production_rate", ...
    bins       of the histogram
    Returns    the axes
    """
    dataset = dataset_of(data, of)
    values = np.asarray(dataset[of])
    values = values[:, 0] if values.ndim > 1 else values
    panel = single(axes)
    panel.hist(values, bins=bins, density=True, color=PALETTE[5], edgecolor="white", lw=0.4)
    panel.axvline(values.mean(), color=PALETTE[0], lw=1.2, label="mean")
    panel.set(xlabel=label(dataset[of]), ylabel="probability density")
    panel.legend()
    return panel


def rate_function(data: Data, axes: Axes | None = None, **line: Unpack[LineStyle]) -> Axes:
    """The rate function of the current that was counted: 0 at its mean, larger for what is rarer.

    data       a result of `scaled_cumulant`, or its dataset
    axes       Matplotlib axes; None: new ones
    line       colour, label and so on of the line
    Returns    the axes
    """
    dataset = dataset_of(data, "rate_function", "current")
    panel = single(axes)
    panel.plot(dataset.current, dataset.rate_function, **({"color": next_colour(panel)} | line))
    panel.set(xlabel=label(dataset.current), ylabel=label(dataset.rate_function))
    return panel


def spectrum(data: Data, axes: Axes | None = None) -> Axes:
    """Eigenvalues of the slowest modes in the complex plane.

    data       a result of `coherence`, or its dataset
    axes       Matplotlib axes; None: new ones
    Returns    the axes
    """
    dataset = dataset_of(data, "eigenvalue_real", "eigenvalue_imag", "sector")
    panel = single(axes)
    panel.axvline(0.0, color=PALETTE[-1], lw=0.8)
    for index, sector in enumerate(np.asarray(dataset.sector)):
        at = dataset.eigenvalue_real[index], dataset.eigenvalue_imag[index]
        panel.plot(*at, "o", color=PALETTE[index % len(PALETTE)], label=f"sector {sector}")
    panel.set(xlabel=r"Re $\lambda$  [1/time]", ylabel=r"Im $\lambda$  [1/time]")
    panel.legend()
    return panel
