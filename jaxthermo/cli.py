"""The command line: parse, call, print."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

# One entry for each paper: its name, and the module whose `PAPER` lists its figures and tables.
PAPERS = {"potts": "jaxthermo.papers.rings.paper", "stirling": "jaxthermo.papers.engine.paper"}

# Exit codes: trouble with the machine or a check that failed, with what the user gave, and a stop by Ctrl-C, as shells
# report it. 0 is success.
FAILED, MISUSED, INTERRUPTED = 1, 2, 130
EXIT_CODES = "Exit codes: 0 done, 1 the machine or a check failed, 2 wrong arguments, 130 stopped by Ctrl-C."

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich", epilog=EXIT_CODES)


def main() -> None:
    """Entry point of the `jaxthermo` command."""
    try:
        app()
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        typer.echo("This command draws, which needs Matplotlib: pip install 'jaxthermo[plot]'", err=True)
        raise SystemExit(FAILED) from None


def _examples(*lines: str) -> str:
    """Commands at the end of a help, one a line."""
    return "\n\n".join(["Examples:", *lines])


def _print_version(wanted: bool | None) -> None:
    if wanted:
        import jaxthermo

        typer.echo(f"jaxthermo {jaxthermo.__version__}")
        raise typer.Exit


def _made(folder: Path) -> Path:
    """A folder to write to, made before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"cannot make the folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise typer.BadParameter(f"cannot write to the folder {folder}")
    return folder


def _with_folder(file: Path | None) -> Path | None:
    """A file to write, in a folder that is made before anything is computed."""
    if file is not None:
        _made(file.parent)
    return file


@app.callback()
def _prepare(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Thermodynamics far from equilibrium, differentiable and on any device."""
    import jax

    from jaxthermo.cache import enable_cache

    jax.config.update("jax_enable_x64", True)
    # A folder that cannot be written to costs time only; `jaxthermo doctor` tells.
    with suppress(ValueError):
        enable_cache()


@app.command(epilog=_examples("jaxthermo doctor", "jaxthermo doctor --json | jq .problems"))
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")] = False,
    timed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Measure how fast this machine compiles and solves.")
    ] = True,
) -> None:
    """Check whether this machine can be trusted with a calculation. Takes about ten seconds, with --no-speed five.

    Exit code 1 where something is wrong.
    """
    from jaxthermo import doctor

    raise typer.Exit(doctor.main(as_json, timed))


@app.command(epilog=_examples("jaxthermo reproduce --out results", "jaxthermo reproduce stirling --item fig4"))
def reproduce(
    paper: Annotated[str | None, typer.Argument(help=f"One of: {', '.join(PAPERS)}. Default: all.")] = None,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="The paper's meshes and all its cases, or a first look at them.")
    ] = False,
    item: Annotated[
        list[str] | None, typer.Option("--item", help="Only this figure or table, such as fig4; may be repeated.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, callback=_made, help="Folder for figures, tables, data.")
    ] = Path("results"),
) -> None:
    """Make the figures and tables of a paper again, set them beside its own, and judge its claims.

    Both papers coarsely take about seven minutes of one core, a figure half a minute to a minute, but fig2 of the rings
    three; --full takes hours. What an earlier run into the same folder has computed is used again.
    """
    if paper is not None and paper not in PAPERS:
        typer.echo(f"`paper` must be one of {', '.join(PAPERS)}, but is {paper}", err=True)
        raise typer.Exit(MISUSED)
    if item:
        _check_items(paper, item, full)
    from jaxthermo.papers import reproduction

    made = None
    try:
        for name in PAPERS if paper is None else [paper]:
            made = reproduction.reproduce(importlib.import_module(PAPERS[name]).PAPER, out, full, item or ())
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(MISUSED) from None
    except KeyboardInterrupt:
        typer.echo(f"Interrupted. What is finished is in {out}, and the same command goes on from there.", err=True)
        # Python would wait for the calculation that is running; its result is not wanted any more.
        os._exit(INTERRUPTED)
    typer.echo(f"Written to {out}; open {made.index if made else out}")


def _check_items(paper: str | None, items: list[str], full: bool) -> None:
    """Leave with a message where the paper does not have an item, or none was named; say which paper has it."""
    known = {name: importlib.import_module(module).PAPER.items(full) for name, module in PAPERS.items()}
    for item in items:
        having = [name for name, names in known.items() if item in names]
        if paper in having:
            continue
        if having:
            commands = " or ".join(f"`jaxthermo reproduce {name} --item {item}`" for name in having)
            trouble = f"`--item {item}` belongs to {' and '.join(having)}: {commands}"
        else:
            names = known[paper] if paper else sorted({name for names in known.values() for name in names})
            trouble = f"`item` must be one of {', '.join(names)}, but is {item}"
        typer.echo(trouble, err=True)
        raise typer.Exit(MISUSED)


@app.command(epilog=_examples("jaxthermo infer-protocol --quick --out results", "jaxthermo infer-protocol --others 4"))
def infer_protocol(
    quick: Annotated[bool, typer.Option("--quick", help="Fit the three classical works only.")] = False,
    thermostat: Annotated[
        str, typer.Option("--thermostat", help="Memory of the quantum noise: symmetric or earlier.")
    ] = "symmetric",
    others: Annotated[
        int, typer.Option("--others", min=0, help="So many further cycles with the same works, from the stored one.")
    ] = 0,
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, callback=_made, help="Folder for the fit and its figure.")
    ] = Path("results"),
) -> None:
    """Look for a Stirling cycle that has the works of Table 4 of Koyanagi & Tanimura 2024, or for further ones.

    Takes about an hour of one core, a further cycle some five minutes. What an earlier run into the same folder has
    found stays.
    """
    from jaxthermo.papers.engine.ensemble import further_cycles
    from jaxthermo.papers.engine.inference_report import infer_protocol

    with _one_message():
        if others:
            further_cycles(out, others)
        else:
            infer_protocol(out, quick, thermostat)
    typer.echo(f"Written to {out}")


@app.command(epilog=_examples("jaxthermo better-engine --quick --out results"))
def better_engine(
    quick: Annotated[bool, typer.Option("--quick", help="One coupling and few steps.")] = False,
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, callback=_made, help="Folder for the table and the figure.")
    ] = Path("results"),
) -> None:
    """Maximise the power of the Stirling engine over its field, strokes and period, then that of a free form.

    Says which searches there will be before they start; each has a line that tells how far it is.
    """
    from jaxthermo.papers.engine.better_engine import better_engine

    better_engine(out, quick)
    typer.echo(f"Written to {out}")


@app.command(
    epilog=_examples("jaxthermo phases --q 5 --points 100 --out results", "jaxthermo phases --forward-force 1.0")
)
def phases(
    q: Annotated[int, typer.Option("--q", min=2, help="Number of states.")] = 3,
    coupling: Annotated[float, typer.Option("--coupling", help="Coupling u; attraction is negative.")] = -1.0,
    prefactor: Annotated[float, typer.Option("--prefactor", help="Prefactor of the rates.")] = 0.1,
    beta_max: Annotated[float, typer.Option("--beta-max", help="Coldest inverse temperature.")] = 10.0,
    force_max: Annotated[float, typer.Option("--force-max", help="Largest force.")] = 2.0,
    forward_force: Annotated[
        float | None, typer.Option("--forward-force", help="Draw output power over loads -f1 < f2 < 0 at this f1.")
    ] = None,
    points: Annotated[int, typer.Option("--points", min=2, help="Points along each axis.")] = 100,
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, callback=_made, help="Folder for figure and data.")
    ] = Path("results"),
) -> None:
    """Draw the phases of a driven ring over force and inverse temperature."""
    from jaxthermo.papers.rings.phases import draw_phases, summary

    with _one_message():
        data = draw_phases(out, q, coupling, prefactor, beta_max, force_max, points, forward_force)
    typer.echo(summary(data))
    typer.echo(f"Written to {out}")


@app.command(epilog=_examples("jaxthermo scan experiment.toml --dry-run", "jaxthermo scan experiment.toml --resume"))
def scan(
    experiment: Annotated[Path, typer.Argument(help="TOML: model, quantity, axes.", exists=True, dir_okay=False)],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the scan that the store holds.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what it will take: lanes, memory, time.")] = False,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Share the scan with the other processes of this job (SLURM, cloud).")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Workers of this dask scheduler compute: address, or its file."),
    ] = None,
) -> None:
    """Compute a quantity over axes, on every device, into a store that survives being killed."""
    from jaxthermo.experiments import load, report

    with _one_message():
        if distributed and dask is not None:
            raise ValueError("`--dask` and `--distributed` exclude each other")
        described = load(experiment)
        report.use_devices(distributed)
        with report.cluster(dask) as client, described.text.pointing(), _kept(described.store):
            resume = resume or distributed
            done = report.dry_run(described) if dry else report.run_experiment(described, resume, client)
        typer.echo(done)


@app.command(
    epilog=_examples(
        "jaxthermo show experiment.zarr", "jaxthermo show experiment.zarr --variable period --out pictures"
    )
)
def show(
    store: Annotated[Path, typer.Argument(help="The store of a scan, finished or not.", file_okay=False)],
    variable: Annotated[str | None, typer.Option("--variable", help="What to draw.")] = None,
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the picture.")] = Path("results"),
) -> None:
    """Summarise a scan, and draw it."""
    from jaxthermo.experiments import report

    with _one_message():
        typer.echo(report.plan_to_show(store))
        typer.echo(report.show(store, out, variable))


@contextmanager
def _kept(store: Path) -> Iterator[None]:
    """What Ctrl-C leaves behind, as one sentence."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"Interrupted. Finished chunks are in {store}; the same command with --resume goes on.", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _one_message() -> Iterator[None]:
    """Trouble with what the user gave (exit code 2) or with the machine (1) as one message."""
    try:
        yield
    except typer.Exit:
        # A RuntimeError to Python, but said already.
        raise
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(MISUSED) from None
    except (OSError, MemoryError, ArithmeticError, RuntimeError) as error:
        typer.echo(str(error) or type(error).__name__, err=True)
        raise typer.Exit(FAILED) from None


@app.command(epilog=_examples("jaxthermo validate", "jaxthermo validate --json"))
def validate(
    out: Annotated[
        Path | None,
        typer.Option("--out", dir_okay=False, callback=_with_folder, help="Also write a Markdown table here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead, for scripts.")] = False,
) -> None:
    """Run every exact check of the library. Takes about two minutes. Exit code 1 where one does not hold."""
    from jaxthermo.validation import report as validation

    if not validation.write(out, as_json):
        raise typer.Exit(FAILED)
