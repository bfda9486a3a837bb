"""The wheel in empty environments: `python tests/packages.py python3.11 python3.13 ...`.

With each Python the newest packages that pip finds, and the oldest that pyproject.toml allows and that have wheels for
it. What is tried is `smoke.py`, the command, and `jaxthermo doctor`. Needs a network, and some minutes for each.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Where the lower limit is older than a Python, and has no wheels for it: the first that has.
FIRST_WHEELS = {"3.13": {"numpy": "2.1"}, "3.14": {"numpy": "2.3", "scipy": "1.16"}}


def oldest(python: str) -> list[str]:
    """Every requirement at its lower limit for this Python, with the mends of that version."""
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    first = FIRST_WHEELS.get(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip(), {})
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    limits = dict(re.match(r"([\w-]+)>=([\d.]+)", one).groups() for one in wanted) | first
    return [f"{name}=={least if '.' in least else f'{least}.0'}.*" for name, least in limits.items()]


def tried(python: str, wheel: Path, pins: list[str], folder: Path) -> str:
    """What the smoke test says of one environment."""
    folder.mkdir()
    subprocess.run([python, "-m", "venv", "env"], cwd=folder, check=True)
    own = folder / "env" / "bin" / "python"
    quiet = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    if subprocess.run([own, "-m", "pip", "install", *quiet, str(wheel), *pins]).returncode:
        return f"{python} has no wheels of these"
    said = subprocess.run([own, ROOT / "tests" / "smoke.py", folder], cwd=folder, check=True, capture_output=True)
    for words in (["--version"], ["doctor"]):
        subprocess.run([own, "-m", "jaxthermo", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return said.stdout.decode().strip()


def main(pythons: list[str]) -> None:
    """Builds the wheel, and prints a line for each environment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        for number, python in enumerate(pythons):
            for kind, pins in (("newest", []), ("oldest", oldest(python))):
                print(f"{kind}: {tried(python, wheel, pins, folder / f'{kind}-{number}')}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
