import numpy as np
import pytest

import jaxthermo as jt

# Depths and levels of two cases.
SIZES = ((4, 16), (6, 20))
POTENTIAL = [0.0, 0.0, 0.1, 0.02, 0.05]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_equilibrium_agrees_with_qutip_within_its_truncation_error():
    """QuTiP's error is what one level of the hierarchy less and four levels of the number basis less change in X.

    Without MKL's PARDISO only a small case ends within minutes, whose truncation error is larger.
    """
    qutip = pytest.importorskip("qutip")
    from benchmarks._qutip_reference import steady_state

    depth, levels, largest = (7, 24, 1e-3) if qutip.settings.has_mkl else (4, 14, 2e-2)

    def X(depth: int, levels: int) -> float:
        return steady_state(POTENTIAL, 1.0, 2, depth, 1.0, 0.5, levels).X

    theirs = X(depth, levels)
    truncation = abs(X(depth - 1, levels) - theirs) + abs(X(depth, levels - 4) - theirs)
    ours = float(jt.equilibrium(jt.quantum_oscillator(jt.Polynomial(POTENTIAL), 1.0, poles=2, depth=4), 1.0, 0.5).X)
    assert truncation < largest
    assert abs(ours - theirs) <= truncation
    # The value both converge to, which no truncated case of QuTiP's holds to this many digits.
    assert ours == pytest.approx(0.51806474, abs=1e-8)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_correlation_functions_of_a_quartic_well_agree_with_qutip_within_its_truncation_error():
    """QuTiP's error is what two levels of the hierarchy more and four of the number basis more change."""
    pytest.importorskip("qutip")
    from benchmarks._qutip_reference import correlation

    ts = np.array([0.0, 0.7, 2.0, 4.0])
    fewer, more = (np.array(correlation(POTENTIAL, 0.7, 1, depth, 1.0, 0.5, levels, ts)) for depth, levels in SIZES)
    truncation = np.abs(more - fewer).max()
    found = jt.correlation(jt.quantum_oscillator(jt.Polynomial(POTENTIAL), 0.7, poles=1), 1.0, 0.5, ts)
    assert truncation < 1e-3
    ours = np.array([found.symmetrised, found.response])
    np.testing.assert_allclose(ours, more, rtol=0.0, atol=truncation)
