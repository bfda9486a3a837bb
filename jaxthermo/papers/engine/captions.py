"""Title and words of each figure and table of Koyanagi & Tanimura 2024, for the paper's page."""

from jaxthermo.papers.engine.data import CYCLES, LABELS, equation

FEW = " Quantum potentials take minutes each: a coarse run leaves them out."


def texts(full: bool) -> dict[str, tuple[str, str]]:
    """Title and words by item."""
    stored_equation = f"{equation('classical', True).capitalize()}; {equation('quantum', True)}."
    both = f"{equation('classical', full).capitalize()}; {equation('quantum', full)}."
    strengths = "0.5, 1, 1.5" if full else "0.5, 1, 1.5 of our own and 1 of the inferred one"
    found = {
        "fig2": (
            "Fig. 2: schedules",
            "Field and inverse temperature of the two cycles that stand in for the paper's, which is known as a "
            f"picture only. {LABELS['own']}; a {LABELS['inferred'].removeprefix('A ')}.",
        ),
        "quasi_static": (
            "Companion paper: quasi-static work against the coupling",
            "Work of our own cycle, infinitely slow, over A, classical, and quantum with K poles of the bath: the "
            "claim is that the first is independent of A and the second falls with it. Equilibria of the Kramers "
            "equation, and of the hierarchical Wigner equation with the symmetric thermostat, on meshes and at depths "
            "chosen for each.",
        ),
        "cycles": (
            "Table 4: cycles with the same six works",
            "The inferred cycle and others, found from it by walks along directions that the six works do not fix "
            "(`jaxthermo infer-protocol --others 4`), at A = 0.5, 1, 1.5; `others` has their numbers. "
            f"{stored_equation}",
        ),
        "others": (
            "Table 4: what the cycles with the same six works have in common",
            f"Each cycle was run with both kinds and A = 0.5, 1, 1.5. {stored_equation}",
        ),
        "table4": ("Table 4: work per cycle", f"For both cycles and A = 0.5, 1, 1.5. {both}"),
        "relations": (
            "Tables 1, 2, 5, 6: the potentials' differentials",
            f"Every relation with its largest residual along both cycles, A = {strengths}. {both}{'' if full else FEW}",
        ),
        "mixing": (
            "Table 7, App. C: mixing of states",
            "Random pairs of equilibria, and of states of both cycles at A = 0.5, 1, 1.5, mixed at random. "
            f"{equation('classical', full).capitalize()}.",
        ),
        "inequalities": (
            "Tables 8, 9, Apps. B, D: inequalities",
            f"The smallest slack along both cycles, A = {strengths}, with the condition that each needs. {both}"
            f"{'' if full else FEW}",
        ),
        "carnot": (
            "Sec. III.4: efficiency of a Carnot cycle against the coupling",
            "The claim that it is largest where the coupling is neither weak nor strong. Two baths coupled in turn to "
            "a classical parabola whose stiffness is the field; closed moment equations.",
        ),
        "slower": (
            "Sec. III.4: longer isothermal strokes",
            f"Entropy produced per cycle; our own cycle, A = 1.5. {equation('classical', full).capitalize()}.",
        ),
        "statements": (
            "What the paper says",
            f"Every claim of abstract, text and conclusions, judged by numbers of both cycles. {both} Of the cycles "
            f"with the six works: {stored_equation}",
        ),
    }
    for cycle, make in CYCLES.items():
        more, of = "" if cycle == "own" else f"_{cycle}", f"{cycle} cycle"
        words = f"{LABELS[cycle]}, period {float(make().period):g}, A as in the panels. {both}"
        found |= {
            f"fig3{more}": (
                f"Fig. 3: x-X diagrams, {of}",
                f"Field against coordinate; the loop is the work, counterclockwise for an engine. {words}",
            ),
            f"fig4{more}": (
                f"Fig. 4: T-S diagrams, {of}",
                "Temperature against thermodynamic entropy, which follows from searches for the least work (black "
                f"dots); dotted: equilibrium at the same beta and x. {words}{'' if full else FEW}",
            ),
            f"fig5{more}": (
                f"Fig. 5: entropy production, enthalpy, energy, {of}",
                "Rates are means between searches; crosses are the exact rate of a classical state. "
                f"{words}{'' if full else FEW}",
            ),
            f"fig10{more}": (
                f"Fig. 10: distance from the quasi-static potential, {of}",
                f"Xi_qst - Xi_neq at equal beta and x~ over a cycle. {words}{'' if full else FEW}",
            ),
        }
    return found
