"""The paragraphs "How fast" of README.md, with their figures taken from the records."""

import textwrap
from typing import Any

WIDTH = 120
EPYC, H100 = "amd-epyc-2-cores", "nvidia-h100-80gb-hbm3"
FOLDER = "`benchmarks/results/{}/`"

Records = dict[str, dict[str, dict[str, Any]]]


def figures(found: Records) -> str:
    """All paragraphs."""
    paragraphs = (_oscillators(found), _processor(found), _accelerator(found))
    return "\n\n".join("\n".join(textwrap.wrap(text, WIDTH, break_on_hyphens=False)) for text in paragraphs)


def _rows(found: Records, name: str, slug: str, **wanted: Any) -> list[dict[str, Any]]:
    rows = found[name][slug]["rows"]
    return [row for row in rows if all(str(row.get(key, "")).startswith(str(value)) for key, value in wanted.items())]


def _list(values: list[float], digits: int = 0) -> str:
    words = [f"{value:.{digits}f}" for value in values]
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]


def _range(values: list[float], digits: int = 0) -> str:
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _oscillators(found: Records) -> str:
    split = _rows(found, "stirling_cycle", EPYC, method="split")
    shallow = [row["ratio_to_rk4"] for row in split if row["depth"] == 2]
    equal = [row["ratio_to_rk4"] for row in split if row["depth"] != 2]
    truncation = max(row["truncation_error"] for row in split if row["depth"] == 2)
    published = _rows(found, "stirling_cycle", EPYC, method="RK4")
    depths = [row["depth"] for row in published]
    errors = [row["truncation_error"] for row in published]
    own = _rows(found, "equilibrium_vs_qutip", EPYC, method="jaxthermo")
    qutip = _rows(found, "equilibrium_vs_qutip", EPYC, method="QuTiP")
    slower = [row["ratio_to_library"] for row in qutip]
    cold = [row["ratio_to_library"] for row in found["equilibrium_cold"][EPYC]["rows"] if row["ratio_to_library"]]
    return (
        f"On the two cores of an AMD EPYC ({FOLDER.format(EPYC)}), against explicit RK4 on the published hierarchy "
        "at its largest stable step, one Stirling cycle to a work error of 1e-4 at the paper's three quantum settings "
        f"is {_list(shallow)} times faster with depth 2, whose truncation error (at most {truncation:.0e}) is less "
        f"than that of the published depths {_list(depths)} ({min(errors):.0e} to {max(errors):.0e}); at equal depth "
        f"{_list(equal)} times. The equilibrium state takes "
        f"{own[0]['cpu_seconds']:.2f} s of processor time "
        f"(K = 2, depth {own[0]['depth']}, {own[0]['q_points']} x {own[0]['p_points']} points, "
        f"error {own[0]['error']:.0e} in X), {_list(slower)} times less than QuTiP's direct solve with "
        "a larger error. From hot to cold (beta 0.5 to 8, A = 0.5 and 1.5) a solve without a larger error than QuTiP's "
        f"is {_range(cold)} times as fast."
    )


def _processor(found: Records) -> str:
    own = _rows(found, "gillespie", EPYC, method="jaxthermo")
    numba = [row["ratio_to_library"] for row in _rows(found, "gillespie", EPYC, method="numba")]
    gillespy = [row["ratio_to_library"] for row in _rows(found, "gillespie", EPYC, method="GillesPy2")]
    rings, engines = found["scan_throughput"][EPYC]["rows"]
    together = _rows(found, "potts_scan", EPYC, method="lanes together")
    sooner, lanes = [1.0 / row["cpu_ratio_to_numba"] for row in together], together[0]["lanes"]
    return (
        "On the same cores `jt.potts.simulate` makes "
        f"{_range([row['jumps_per_second'] / 1e6 for row in own])} million jumps per second, {_range(numba, 1)} times "
        f"a loop in numba and {_range(gillespy)} times GillesPy2's C++ solver on one of them. {lanes} rings of "
        f"{_list([row['q'] for row in together])} states, solved together to an error of 1e-6, take "
        f"{_list(sooner, 1)} times less processor time than RK4 in numba. A scan of "
        f"{_lanes(rings)} rings, with its store, runs at {rings['ratio']:.2f} of the speed of the bare vmapped "
        f"function, one of {_lanes(engines)} Stirling cycles at {engines['ratio']:.2f}."
    )


def _accelerator(found: Records) -> str:
    rings, engines = found["scan_throughput"][H100]["rows"]
    own = _rows(found, "gillespie", H100, method="jaxthermo")
    numba = [row["ratio_to_library"] for row in _rows(found, "gillespie", H100, method="numba")]
    solves = _rows(found, "potts_scan", H100, method="diffrax adaptive")
    cores, lanes = found["gillespie"][H100]["host_cores"], solves[0]["lanes"]
    jumps = _range([row["jumps_per_second"] / 1e9 for row in own], 1)
    adaptive = _range([1.0 / row["ratio_to_numba"] for row in solves])
    return (
        f"On one NVIDIA H100 in double precision ({FOLDER.format(H100)}) a scan of {_lanes(rings)} rings (q = 5) takes "
        f"{rings['scan_seconds']:.1f} s, {rings['lanes_per_second'] / 1e6:.1f} million lanes a second, one of "
        f"{_lanes(engines)} classical Stirling cycles {engines['scan_seconds']:.2f} s, at {rings['ratio']:.2f} and "
        f"{engines['ratio']:.2f} of the speed of the bare function (measured when a GPU still waited while a chunk was "
        f"written). `jt.potts.simulate` makes {jumps} billion "
        f"jumps per second, {_range(numba)} times numba on the machine's {cores} cores. Adaptive solves of {lanes} "
        f"rings are {adaptive} times as fast as RK4 in numba on those cores at "
        "equal error."
    )


def _lanes(row: dict[str, Any]) -> str:
    lanes: int = row["lanes"]
    return f"{lanes // 10**6} million" if lanes >= 10**6 else f"{lanes:,}".replace(",", " ")
