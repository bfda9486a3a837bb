"""The pictures of the gallery, made by the code that the page shows: `python -m website.figures`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs/plots.md", ROOT / "docs/figures"


def main() -> None:
    """Runs the page in an empty folder and keeps what it links to."""
    text = PAGE.read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "page.py"
        script.write_text(code)
        settings = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, script.name], cwd=folder, check=True, env=settings)
        for name in sorted(set(re.findall(r"\(figures/([\w.]+)\)", text))):
            shutil.copy(Path(folder) / name, FIGURES / name)
            print(FIGURES / name)


if __name__ == "__main__":
    main()
