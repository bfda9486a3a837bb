"""What the work current of Fig. 2 tends to from either side of beta_c1 and of the fold, where no point is decided."""

import numpy as np
import xarray

from jaxthermo.papers.rings.lanes import COUPLING, FORCE, POWER, PREFACTOR, attractors, labelled
from jaxthermo.potts import Phase, PottsRing, fold, phases, thermodynamics, uniform_work_current
from jaxthermo.potts.converter import MANY_ROUNDS

# Multiples of this distance from an edge, relative to it, at which attractors are known; and how the work goes there:
# smoothly beyond beta_c1, with a square root of the distance at a fold.
NEAR, MULTIPLES = 4e-3, np.arange(1.0, 6.0)
EDGES = ("beta_c1", "fold")
SQUARE_ROOT = {"beta_c1": False, "fold": True}


def sides(q: int, onset: float, fold_beta: float) -> xarray.Dataset:
    """Limits of W at beta_c1 and at the fold from the warm and the cold side, from five points on each.

    NaN where the five do not belong to one phase. The limit at beta_c1 from the warm side is that of the uniform state,
    exactly.
    """
    edges = np.array([onset, fold_beta])
    signs = np.array([-1.0, 1.0])
    betas = edges[:, None, None] * (1.0 + signs[None, :, None] * NEAR * MULTIPLES)
    found = attractors(q, betas.ravel(), np.full(betas.size, FORCE), rounds=MANY_ROUNDS)
    work, phase = np.reshape(found.work_current, betas.shape), np.reshape(phases(found), betas.shape)
    one = np.all(phase == phase[..., :1], axis=-1) & (phase[..., 0] != Phase.undecided)
    limit = np.stack([_extrapolated(work[i], SQUARE_ROOT[edge]) for i, edge in enumerate(EDGES)])
    limit = np.where(one, limit, np.nan)
    ring = PottsRing(q, COUPLING, FORCE, PREFACTOR)
    limit[0, 0] = float(uniform_work_current(ring, onset))
    born = _at_birth(ring) if q > 2 else np.nan
    axes = ("edge", "side")
    variables = {
        "limit": (axes, limit, POWER, "limit of the work current at an edge"),
        "phase_beside": (axes, np.where(one, phase[..., 0], Phase.undecided), "1", "phase beside the edge"),
        "work_beside": ((*axes, "near"), work, POWER, "work current at points near the edge"),
        "period_beside": (
            (*axes, "near"),
            np.reshape(found.period, betas.shape),
            "time",
            "period of a limit cycle there",
        ),
        "work_at_birth": ((), born, POWER, "work current of the localised state at its fold"),
    }
    coords = {
        "edge": ("edge", list(EDGES), "1", "edge in beta"),
        "side": ("side", signs, "1", "-1 warmer than the edge, +1 colder"),
        "near": ("near", NEAR * MULTIPLES, "1", "distance from the edge over its beta"),
    }
    return labelled(variables, coords)


def _extrapolated(work: np.ndarray, square_root: bool) -> np.ndarray:
    """To distance 0, along the last axis, by the polynomial through all points."""
    distance = np.sqrt(MULTIPLES) if square_root else MULTIPLES
    weights = np.linalg.solve(np.vander(distance, increasing=True).T, np.eye(len(distance))[0])
    return work @ weights


def _at_birth(ring: PottsRing) -> float:
    born = fold(ring)
    return float(thermodynamics(0.0, born.occupation, ring, born.beta).work_current)
