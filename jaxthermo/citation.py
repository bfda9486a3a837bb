"""BibTeX of the library and of the works whose equations a result uses."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx

from jaxthermo import brownian, jumps, search
from jaxthermo._results import AbstractResult
from jaxthermo.environment import version_of
from jaxthermo.jumps.finite.fluctuations import Cumulants
from jaxthermo.jumps.finite.large_deviations import ScaledCumulants
from jaxthermo.jumps.finite.modes import Coherence
from jaxthermo.jumps.finite.theorem import WorkTheorem
from jaxthermo.jumps.finite.trajectories import Trajectories
from jaxthermo.potts.amplitudes import NormalForm
from jaxthermo.potts.ring import PottsRing

PRE, PRL, RMP, JCP = "Physical Review E", "Physical Review Letters", "Reviews of Modern Physics", "J. Chem. Phys."
APS = "10.1103"

# Key: authors, title, journal, volume, first page, year, doi or arXiv number. Each number was looked up with its title;
# where none was found there is none. A doi of the American Physical Society is journal, volume and page.
ARTICLES: dict[str, tuple[str, str, str, str, str, int, str]] = {
    "herpich2019": (
        "Herpich, Tim and Esposito, Massimiliano",
        "Universality in driven {Potts} models",
        *(PRE, "99", "022135", 2019, f"{APS}/PhysRevE.99.022135"),
    ),
    "koyanagi2024": (
        "Koyanagi, Shoki and Tanimura, Yoshitaka",
        "Classical and quantum thermodynamics in a non-equilibrium regime: Application to thermostatic {Stirling} "
        "engine",
        *(JCP, "161", "114113", 2024, "arXiv:2405.17791"),
    ),
    "esposito2012": (
        "Esposito, Massimiliano",
        "Stochastic thermodynamics under coarse graining",
        *(PRE, "85", "041125", 2012, f"{APS}/PhysRevE.85.041125"),
    ),
    "meibohm2024": (
        "Meibohm, Jan and Esposito, Massimiliano",
        "Small-amplitude synchronisation in driven {Potts} models",
        *("arXiv", "", "", 2024, "arXiv:2401.14980"),
    ),
    "glauber1963": (
        "Glauber, Roy J.",
        "Time-dependent statistics of the {Ising} model",
        *("J. Math. Phys.", "4", "294", 1963, "10.1063/1.1703954"),
    ),
    "metropolis1953": (
        "Metropolis, Nicholas and others",
        "Equation of state calculations by fast computing machines",
        *(JCP, "21", "1087", 1953, "10.1063/1.1699114"),
    ),
    "schnakenberg1976": (
        "Schnakenberg, J.",
        "Network theory of microscopic and macroscopic behavior of master equation systems",
        *(RMP, "48", "571", 1976, f"{APS}/RevModPhys.48.571"),
    ),
    "gillespie1976": (
        "Gillespie, Daniel T.",
        "A general method for numerically simulating the stochastic time evolution of coupled chemical reactions",
        *("J. Comput. Phys.", "22", "403", 1976, "10.1016/0021-9991(76)90041-3"),
    ),
    "tian2004": (
        "Tian, Tianhai and Burrage, Kevin",
        "Binomial leap methods for simulating stochastic chemical kinetics",
        *(JCP, "121", "10356", 2004, "10.1063/1.1810475"),
    ),
    "lebowitz1999": (
        "Lebowitz, Joel L. and Spohn, Herbert",
        "A {Gallavotti-Cohen}-type symmetry in the large deviation functional for stochastic dynamics",
        *("J. Stat. Phys.", "95", "333", 1999, "10.1023/A:1004589714161"),
    ),
    "barato2015": (
        "Barato, Andre C. and Seifert, Udo",
        "Thermodynamic uncertainty relation for biomolecular processes",
        *(PRL, "114", "158101", 2015, f"{APS}/PhysRevLett.114.158101"),
    ),
    "gingrich2016": (
        "Gingrich, Todd R. and Horowitz, Jordan M. and Perunov, Nikolay and England, Jeremy L.",
        "Dissipation bounds all steady-state current fluctuations",
        *(PRL, "116", "120601", 2016, f"{APS}/PhysRevLett.116.120601"),
    ),
    "barato2017": (
        "Barato, Andre C. and Seifert, Udo",
        "Coherence of biochemical oscillations is bounded by driving force and network topology",
        *(PRE, "95", "062409", 2017, "arXiv:1701.05848"),
    ),
    "oberreiter2022": (
        "Oberreiter, Lukas and Seifert, Udo and Barato, Andre C.",
        "Universal minimal cost of coherent biochemical oscillations",
        *("arXiv", "", "", 2022, "arXiv:2112.01607"),
    ),
    "jarzynski1997": (
        "Jarzynski, C.",
        "Nonequilibrium equality for free energy differences",
        *(PRL, "78", "2690", 1997, f"{APS}/PhysRevLett.78.2690"),
    ),
    "imparato2005": (
        "Imparato, A. and Peliti, L.",
        "Work-probability distribution in systems driven out of equilibrium",
        *(PRE, "72", "046114", 2005, f"{APS}/PhysRevE.72.046114"),
    ),
    "crooks1999": (
        "Crooks, Gavin E.",
        "Entropy production fluctuation theorem and the nonequilibrium work relation for free energy differences",
        *(PRE, "60", "2721", 1999, f"{APS}/PhysRevE.60.2721"),
    ),
    "hu2011": (
        "Hu, Jie and Luo, Meng and Jiang, Feng and Xu, Rui-Xue and Yan, YiJing",
        "{Pad\\'e} spectrum decompositions of quantum distribution functions and optimal hierarchical equations of "
        "motion construction for quantum open systems",
        *(JCP, "134", "244106", 2011, "10.1063/1.3602466"),
    ),
    "ikeda2019": (
        "Ikeda, Tatsushi and Tanimura, Yoshitaka",
        "Low-temperature quantum {Fokker-Planck} and {Smoluchowski} equations and their extension to multistate "
        "systems",
        *("J. Chem. Theory Comput.", "15", "2517", 2019, "arXiv:1901.10547"),
    ),
    "tanimura2006": (
        "Tanimura, Yoshitaka",
        "Stochastic {Liouville}, {Langevin}, {Fokker-Planck}, and master equation approaches to quantum dissipative "
        "systems",
        *("J. Phys. Soc. Jpn.", "75", "082001", 2006, ""),
    ),
    "callen1951": (
        "Callen, Herbert B. and Welton, Theodore A.",
        "Irreversibility and generalized noise",
        *("Physical Review", "83", "34", 1951, f"{APS}/PhysRev.83.34"),
    ),
    "hanggi1990": (
        'H{\\"a}nggi, Peter and Talkner, Peter and Borkovec, Michal',
        "Reaction-rate theory: fifty years after {Kramers}",
        *(RMP, "62", "251", 1990, f"{APS}/RevModPhys.62.251"),
    ),
    "schmiedl2007": (
        "Schmiedl, Tim and Seifert, Udo",
        "Optimal finite-time processes in stochastic thermodynamics",
        *(PRL, "98", "108301", 2007, f"{APS}/PhysRevLett.98.108301"),
    ),
    "sivak2012": (
        "Sivak, David A. and Crooks, Gavin E.",
        "Thermodynamic metrics and optimal paths",
        *(PRL, "108", "190602", 2012, f"{APS}/PhysRevLett.108.190602"),
    ),
    "gomezmarin2008": (
        "Gomez-Marin, Alex and Schmiedl, Tim and Seifert, Udo",
        "Optimal protocols for minimal work processes in underdamped stochastic thermodynamics",
        *(JCP, "129", "024114", 2008, "10.1063/1.2948948"),
    ),
}

# What a model, a bath, a law of rates or a result is taken from: keys of ARTICLES, or a function of it that gives them.
TAKEN_FROM: dict[type[eqx.Module], tuple[str, ...] | Callable[[Any], tuple[str, ...]]] = {
    PottsRing: ("herpich2019",),
    jumps.Glauber: ("glauber1963",),
    jumps.Metropolis: ("metropolis1953",),
    jumps.CycleAffinities: ("schnakenberg1976",),
    jumps.Bounds: ("barato2015", "gingrich2016", "barato2017", "oberreiter2022"),
    jumps.JumpNetwork: lambda network: ("esposito2012",) if network.reservoir_count > 1 else (),
    Trajectories: lambda run: ("tian2004",) if run.method == "binomial leaps" else ("gillespie1976",),
    Cumulants: ("lebowitz1999", "barato2015"),
    ScaledCumulants: ("lebowitz1999",),
    Coherence: ("barato2017",),
    WorkTheorem: ("jarzynski1997", "crooks1999"),
    NormalForm: ("meibohm2024",),
    brownian.Oscillator: ("koyanagi2024",),
    brownian.OhmicBath: lambda bath: ("hu2011", "ikeda2019") if bath.poles and bath.scheme == "pade" else (),
    brownian.DrudeBath: ("hu2011", "ikeda2019"),
    brownian.SwitchedBaths: ("hu2011",),
    brownian.Correlation: ("tanimura2006",),
    brownian.Spectrum: ("callen1951",),
    brownian.RelaxationRates: ("hanggi1990",),
    brownian.WorkFluctuations: ("jarzynski1997", "imparato2005"),
    search.SlowRamp: ("sivak2012",),
    search.OptimalRamp: ("schmiedl2007", "gomezmarin2008"),
}


def cite(result: AbstractResult | None = None) -> str:
    """BibTeX of the library and of the works whose equations a result uses.

    result     any result of the library; None: the library and the two papers that it grew from
    Returns    BibTeX entries as text, the library's first
    Raises     TypeError for what is no result

    Example
        >>> import jaxthermo as jt
        >>> print(jt.cite().splitlines()[0])
        @software{jaxthermo,
    """
    if result is None:
        keys = ["herpich2019", "koyanagi2024"]
    elif isinstance(result, AbstractResult):
        keys = list(dict.fromkeys(key for part in _parts(result) for key in _keys(part)))
    else:
        raise TypeError(f"`result` must be a result of the library, but is a {type(result).__name__}")
    return "\n\n".join([_software(), *(_article(key) for key in keys)]) + "\n"


def _parts(module: eqx.Module) -> Iterator[eqx.Module]:
    """A module and all that it holds, the outermost last: models before what was asked of them."""
    for value in vars(module).values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, eqx.Module):
                yield from _parts(one)
    yield module


def _keys(part: eqx.Module) -> tuple[str, ...]:
    keys = TAKEN_FROM.get(type(part), ())
    return keys(part) if callable(keys) else keys


def _software() -> str:
    title = "jaxthermo: {GPU}-accelerated, differentiable thermodynamics far from equilibrium"
    fields = {"author": "{The jaxthermo developers}", "title": title, "version": version_of("jaxthermo")}
    return _entry("software", "jaxthermo", fields)


def _article(key: str) -> str:
    author, title, journal, volume, page, year, place = ARTICLES[key]
    number = place.removeprefix("arXiv:")
    where = {"doi": place} if number == place else {"eprint": number, "archiveprefix": "arXiv"}
    fields = {"author": author, "title": title, "journal": journal, "volume": volume, "pages": page, "year": str(year)}
    return _entry("article", key, {**fields, **where})


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
