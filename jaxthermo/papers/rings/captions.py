"""Title and words of each figure and table of Herpich & Esposito 2019, for the paper's page."""

EQUATION = "Mean-field equation (1), u = -1, prefactor 0.1"

TEXTS = {
    "fig1": (
        "Fig. 1: portraits",
        "Trajectories from P_1 = 1 in the plane of P_1 and P_2, and the attractors they reach. The values of beta are "
        f"ours: those of the paper's legends are lost in its text. {EQUATION}, f = 1.",
    ),
    "fig2": (
        "Fig. 2: work saved by attraction",
        "W_1 - W, and W/W_1, against beta at f = 1. The paper's points beta = 0, 1, .., 10 are marked. At beta_c1 = q "
        "and at the fold of the localised states no trajectory decides; the open circles there are the limits from "
        f"either side. {EQUATION}.",
    ),
    "fig3": (
        "Fig. 3: output power over load and temperature",
        "|P| over f2 and beta, f1 = 1, with the transitions and the global maximum; S: limit cycles. For q = 4 the "
        "maximum is the limit at beta_c1 from the cold side. The paper reads a rapid drop of the power for beta > "
        f"beta_c; for q = 4 ours stays flat up to 5.2, as the units fill every second state there. {EQUATION}.",
    ),
    "fig4": (
        "Fig. 4: largest power and its efficiency against q",
        "Global maxima over f2 and beta, f1 = 1, with those that lie on an edge computed as limits. The paper shows "
        "q = 2..6. The efficiency has its staircase; the power has larger relative steps into odd q but no plateaus. "
        f"{EQUATION}.",
    ),
    "unequal": (
        "Sec. III: states of different energy",
        "The claim that the phases survive slight changes of the energies, and that large ones leave a single stable "
        "fixed point: attractors from every localised start over the spread of the energies and beta; q = 3, f = 1. "
        f"{EQUATION}.",
    ),
    "large_q": (
        "Sec. III: large q",
        "The claim that interactions do nothing in a range of temperatures that grows with q: (a) growth of the "
        "fastest perturbation of the uniform state, exact; (b) beta_c1 = q, and rings that were followed below it. "
        f"{EQUATION}, f = 1.",
    ),
    "levels": (
        "Apps. A, B: three levels of description",
        "Identities B3 to B16 for single units, occupation numbers and the mean field, and the approach to the latter.",
    ),
    "facts": ("Sec. III: closed forms", "The paper's formulas beside the library's own, q = 2..9."),
    "table": ("Numbers", "Every number of Figs. 2 and 4 beside the exact one or the paper's."),
    "statements": ("What the paper says", "Every claim of abstract, text and conclusions, judged by numbers."),
}
