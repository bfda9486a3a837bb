"""How long N units keep time: the slowest oscillating mode of their master equation."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.checks import require_double_for
from jaxthermo.flags import coded
from jaxthermo.jumps.finite.distribution import STATUS as SEARCH
from jaxthermo.jumps.finite.distribution import may_rotate, stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import moment
from jaxthermo.jumps.finite.labels import finite_dataset
from jaxthermo.jumps.finite.sectors import CONVERGED, Sector, leading_mode
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.finite.states import require_mesostates
from jaxthermo.jumps.network import AbstractJumpModel, require_constant

if TYPE_CHECKING:
    import xarray

RTOL = 1e-12
STATUS = (*SEARCH, "below rounding errors")
# Largest relative error of an eigenvalue by the rounding of the traffic between states.
LARGEST_ERROR = 1e-3


def coherence(network: AbstractJumpModel, beta: Any, units: Any) -> "xarray.Dataset":
    """The slowest mode of the master equation of N units, and for how long its oscillation lasts.

    Equation   L x = Lambda x with the largest real part but zero; quality factor |Im Lambda/Re Lambda|;
               period 2 pi/|Im Lambda|; phase diffusion D = -Re Lambda, so that correlations of the phase fall like
               exp(-D t) and its variance grows like 2 D t
    Shapes     `eigenvalue_real`, `eigenvalue_imag`, `residual` over `sector`, on a ring with flat energies 1 .. q/2:
               modes that a rotation by one state multiplies by exp(2 pi i sector/q), each with its slowest; one row 0
               for other networks, which have no sectors
    Units      eigenvalues: 1/time
    Raises     ValueError for impossible parameters, more states than memory holds, without double precision
    Source     Barato & Seifert, Phys. Rev. E 95, 062409 (2017) for the quality factor

    `quality_factor`, `period` and `phase_diffusion` are those of the sector that decays slowest. Hops between wells may
    be so rare that their rate is lost in the rounding errors of all other hops; the `status` then says so.
    """
    model = network
    network, beta = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(network.q, units, len(network.edges))
    states = space(network.q, units, network.edges)
    now = moment(network, beta)
    p = stationary_distribution(now, states).p
    flat = may_rotate(now, states) and bool(jnp.ptp(network.energies) == 0)
    numbers = np.arange(1, network.q // 2 + 1) if flat else np.zeros(1, int)
    modes = []
    for number in numbers.tolist():
        sector = Sector(turns=number) if flat else Sector(transient=True)
        modes.append(
            leading_mode(now, states, sector, jnp.ones(()), jnp.zeros(()), _wave(states, p, max(number, 1)), p)
        )
    value = np.array([complex(mode.value) for mode in modes])
    residual = np.array([float(mode.residual) for mode in modes])
    traffic = float(mesoscopic_hops(now, states).outflow() @ p)
    lost = np.maximum(residual, np.finfo(float).eps) * traffic > LARGEST_ERROR * np.abs(value)
    status = np.where(residual > CONVERGED, 1, np.where(lost, 2, 0)).astype(np.int32)
    slowest = value[np.argmax(value.real)]
    variables = {
        "eigenvalue_real": ("sector", value.real, "1/time", "largest real part of the sector"),
        "eigenvalue_imag": ("sector", value.imag, "1/time", "imaginary part of that eigenvalue"),
        "residual": ("sector", residual, "1", "residual of the eigenvector, relative to the traffic"),
        "status": ("sector", status, "1", "whether the eigenvalue was found"),
        "quality_factor": ((), abs(slowest.imag / slowest.real), "1", "|Im/Re| of the slowest eigenvalue"),
        "period": ((), 2.0 * np.pi / abs(slowest.imag) if slowest.imag else np.inf, "time", "period of that mode"),
        "phase_diffusion": ((), -slowest.real, "1/time", "decay rate of that mode"),
    }
    coords = {"sector": ("sector", numbers, "1", "a rotation by one state multiplies by exp(2 pi i sector/q)")}
    worst = STATUS[int(status.max())]
    dataset = finite_dataset(variables, coords, model, beta, units, status=worst, states=states.size)
    dataset["status"].attrs |= coded(STATUS)
    return dataset


def _wave(states: Space, p: Array, number: int) -> Array:
    """The stationary state times a Fourier mode of the counts: what a rotating start looks like."""
    angle = np.exp(2j * np.pi * number * np.arange(states.q) / states.q)
    return p.astype(complex) * (jnp.asarray(angle) @ states.counts.astype(complex))
