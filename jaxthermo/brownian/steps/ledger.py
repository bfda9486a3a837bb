"""What each of several baths exchanges with the oscillator, and what switching it costs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import Real
from jaxthermo.brownian.observables import Moments
from jaxthermo.brownian.steps.split import mean_decay
from jaxthermo.protocols.schedules import Schedule, rate_at, value_at

PerBath = Float[Array, " baths"]


class Exchange(eqx.Module):
    """Energy, or energy per time, bath by bath.

    given       what the bath's force brings to the oscillator
    switching   work that moving its window takes; what the bath itself loses, its heat, is given - switching
    """

    given: PerBath
    switching: PerBath

    def __sub__(self, other: "Exchange") -> "Exchange":
        return Exchange(self.given - other.given, self.switching - other.switching)

    def entries(self) -> Float[Array, " entries"]:
        """Heat from each bath, then the work of switching each."""
        return jnp.concatenate([self.given - self.switching, self.switching])


class Ledger(eqx.Module):
    """Ohmic baths with windows xi_b(t), as far as energy is concerned.

    Equation   the bath's force is xi_b A_b F_b with A_b F_b = noise - gamma_b d(xi_b q)/dt, and its Hamiltonian holds
               xi_b, so that switching takes the work -xi_b' <q A_b F_b> per time:

               given      [gamma_b xi_b^2 (T_b - <p^2>/m) - gamma_b xi_b xi_b' <qp> - xi_b sum_k nu_k j_k <p b_k>'] / m
               switching  gamma_b xi_b xi_b' <qp>/m + gamma_b xi_b'^2 <q^2> + xi_b' sum_k nu_k j_k <q b_k>

               with zeta_k = xi_b j_k b_k the noises of the bath, and <p b_k>' less xi_b j_k
    frictions, temperatures   gamma_b = A_b^2 and T_b of each bath
    windows                   xi_b
    jitter, decay             j_k and nu_k of all noises, (modes,)
    owners                    the bath that each noise belongs to
    """

    frictions: PerBath
    temperatures: PerBath
    windows: tuple[Schedule, ...]
    jitter: Float[Array, " modes"]
    decay: Float[Array, " modes"]
    owners: tuple[int, ...] = eqx.field(static=True)

    def openings(self, t: Real) -> PerBath:
        """xi_b(t)."""
        return jnp.stack([value_at(window, t) for window in self.windows])

    def friction(self, t: Real) -> Float[Array, ""]:
        """Sum of gamma_b xi_b^2."""
        return jnp.sum(self.frictions * self.openings(t) ** 2)

    def widths(self, openings: PerBath) -> Float[Array, " modes"]:
        """xi_b j_k of every noise."""
        return openings[np.array(self.owners, dtype=int)] * self.jitter

    def gathered(self, of_modes: Float[Array, " modes"]) -> PerBath:
        """Sums over the noises of each bath."""
        return jax.ops.segment_sum(of_modes, jnp.asarray(self.owners, dtype=int), len(self.windows))

    def rates(self, m: Moments, mass: Real, t: Real) -> Exchange:
        """Energy per time at one instant."""
        xi, slope = (jnp.stack(values) for values in zip(*(rate_at(w, t) for w in self.windows), strict=True))
        kick = self.frictions * xi * slope * m.qp / mass
        noise = self.gathered(self.decay * self.widths(xi) * m.with_noise)
        white = self.frictions * xi**2 * (self.temperatures * m.norm - m.p2 / mass)
        dragged = slope * self.gathered(self.decay * self.jitter * m.noise_at_place)
        return Exchange((white - noise) / mass - kick, kick + self.frictions * slope**2 * m.q2 + dragged)

    def half_step(self, m: Moments, mass: Real, outer: Real, quarter: Real, middle: Real) -> Exchange:
        """Energy exchanged from the end of a split step to its middle, but for friction, from the moments at its end.

        By what each flow does exactly: the windows move while q and p + zeta keep their values but for the kick of the
        counter-term, then diffusion and decay act at the windows of the middle.
        """
        duration, (xi, next_xi) = middle - outer, (self.openings(outer), self.openings(middle))
        kick = 0.5 * self.frictions * (next_xi**2 - xi**2)
        whole = jnp.sum(kick)
        lost = -jnp.expm1(-self.decay * duration)
        with_noise = m.with_noise - self.widths(next_xi - xi) * m.norm - whole * m.noise_at_place
        diffusion = self.frictions * self.openings(quarter) ** 2 * self.temperatures * duration * m.norm
        noise = self.gathered(lost * self.widths(next_xi) * with_noise)
        given = (kick * (0.5 * whole * m.q2 - m.qp) + diffusion - noise) / mass
        slope = (next_xi - xi) / duration
        dragged = slope * self.gathered(lost * self.jitter * m.noise_at_place)
        return Exchange(given, kick * m.qp / mass + self.frictions * slope**2 * duration * m.q2 + dragged)

    def friction_share(self, m: Moments, mass: Real, middle: Real, duration: Real) -> Exchange:
        """What friction brings while p + zeta shrinks and nothing else happens, from the moments before."""
        each = self.frictions * self.openings(middle) ** 2
        shrinks = mean_decay(2.0 * jnp.sum(each) * duration / mass)
        return Exchange(-each * duration * shrinks * m.p2 / mass**2, jnp.zeros_like(each))
