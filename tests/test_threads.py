"""Small matrices on the host are left to one thread."""

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

import jaxthermo as jt
from jaxthermo.brownian.levels import solve
from jaxthermo.solve.threads import one_thread


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    scipy.linalg.inv(np.eye(2))
    with threadpool_limits(limits=2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("needs BLAS libraries with threads")
        yield


def test_one_thread_inside_and_as_before_after_it(two_threads):
    assert one_thread(threads)() == {1}
    assert threads() == {2}
    with pytest.raises(ZeroDivisionError):
        one_thread(lambda: 1 / 0)()
    assert threads() == {2}


def test_an_equilibrium_among_levels_takes_one_thread(two_threads, monkeypatch):
    seen = []
    plain = solve.Problem.solve
    monkeypatch.setattr(solve.Problem, "solve", lambda *args, **keys: (seen.append(threads()), plain(*args, **keys))[1])
    weak = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 0.05, 1, depth=2)
    assert solve.equilibrium_by_levels(weak, 4.0, 0.0) is not None
    assert seen and set.union(*seen) == {1}
    assert threads() == {2}
