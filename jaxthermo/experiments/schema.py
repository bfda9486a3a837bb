"""Experiments in TOML as data: what may stand where, and the line of what may not."""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from jaxthermo.scans.files import StoreError

Check = Callable[[Any], str | None]
# More than anyone computes, and few enough that the axes themselves fit into memory.
MOST_LANES = 10**9


class ConfigError(ValueError):
    """An experiment that cannot be run as it is written; the message names file, line and key."""


class Troubles:
    """All that is wrong with a file: what is added in the block is raised at its end, as one ConfigError."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def __enter__(self) -> "Troubles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ConfigError):
            self.add(error)
        elif error is not None:
            return
        self.settle()

    def add(self, error: ConfigError) -> None:
        """Say this too."""
        self._found += str(error).splitlines()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A ConfigError in this block ends the block, and is added."""
        try:
            yield
        except ConfigError as error:
            self.add(error)

    def settle(self) -> None:
        """Raise what was added so far, if anything was."""
        if self._found:
            raise ConfigError("\n".join(dict.fromkeys(self._found))) from None


class Text(NamedTuple):
    """A configuration file, for errors that point into it."""

    path: Path
    lines: list[str]

    def error(self, key: tuple[str, ...], what: str) -> ConfigError:
        """`what` is said of a key, or of its table where the key is not written."""
        return ConfigError(f"{self.path}, line {self.line_of(key)}: `{'.'.join(key)}` {what}")

    @contextmanager
    def pointing(self) -> Iterator[None]:
        """What the library refuses in this block is said of this file, and of the line that sets what is named."""
        try:
            yield
        except (ConfigError, StoreError):
            raise
        except ValueError as error:
            named = re.match(r"`(\w+)`", str(error))
            setting = re.compile(rf"(^|[\s{{,.]){named[1]}\s*=") if named else None
            lines = [n for n, line in enumerate(self.lines, start=1) if setting is not None and setting.search(line)]
            where = f"{self.path}, line {lines[0]}" if lines else f"{self.path}"
            raise ConfigError(f"{where}: {error}") from error

    def line_of(self, key: tuple[str, ...]) -> int:
        """The line on which a key is set, or its table begins; 1 if neither is found."""
        best, reached = 1, 0
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.lines, start=1):
            header = re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*(?:#.*)?$", line)
            assigned = re.match(r"\s*([^=#\[\]{]+?)\s*=", line)
            if header:
                table = found = _parts(header[1])
            elif assigned:
                found = (*table, *_parts(assigned[1]))
            else:
                continue
            if len(found) > reached and key[: len(found)] == found:
                best, reached = number, len(found)
        return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def read(path: Path) -> tuple[dict[str, Any], Text]:
    """The tables of a TOML file.

    Raises     ConfigError with the line where it is not TOML; OSError
    """
    try:
        written = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: must be text in UTF-8, but byte {error.start} is not") from None
    text = Text(path, written.splitlines())
    try:
        return tomllib.loads(written), text
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    except (RecursionError, ValueError) as error:
        # Numbers of thousands of digits, and tables nested as deep.
        raise ConfigError(f"{path}: is not TOML that can be read: {error}") from None


def number(above: float = -math.inf, below: float = math.inf, least: float = -math.inf) -> Check:
    """A finite number within these bounds."""

    def check(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            return f"must be a finite number, but is {_said(value)}"
        if not above < value < below or value < least:
            bound = f">= {least:g}" if math.isfinite(least) else f"between {above:g} and {below:g}"
            return f"must be {bound}, but is {_said(value)}"
        return None

    return check


def integer(least: int, most: int) -> Check:
    """An integer in this range."""

    def check(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            return f"must be an integer from {least} to {most}, but is {_said(value)}"
        return None

    return check


def word(*words: str) -> Check:
    """One of these words."""

    def check(value: object) -> str | None:
        return None if value in words else f"must be one of {', '.join(words)}, but is {_said(value)}"

    return check


def numbers(most: int) -> Check:
    """A list of finite numbers, not empty."""

    def check(value: object) -> str | None:
        if not isinstance(value, list) or not 0 < len(value) <= most or any(number()(one) for one in value):
            return f"must be a list of 1 to {most} finite numbers, but is {_said(value)}"
        return None

    return check


def path_name(value: object) -> str | None:
    """A path on the disk."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 1000:
        return f"must be a path, but is {_said(value)}"
    return None


def true_or_false(value: object) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, but is {_said(value)}"


def table(
    text: Text, key: tuple[str, ...], given: object, known: dict[str, Check], needed: tuple[str, ...] = ()
) -> None:
    """Raise one ConfigError with all entries of a table that are unknown, missing or wrong."""
    if not isinstance(given, dict):
        raise text.error(key, f"must be a table, but is {_said(given)}")
    with Troubles() as troubles:
        for name, value in given.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                meant = f"; did you mean {close[0]}?" if close else ""
                troubles.add(
                    text.error((*key, name), f"is unknown here; known are {', '.join(known) or 'none'}{meant}")
                )
            elif (trouble := known[name](value)) is not None:
                troubles.add(text.error((*key, name), trouble))
        for name in needed:
            if name not in given:
                troubles.add(text.error((*key, name), "is missing"))


def axis(text: Text, key: tuple[str, ...], given: object, unit: str) -> np.ndarray:
    """The values of an axis: a list of numbers, or a table {start, stop, count} or {values}, with its units or without.

    Raises     ConfigError; among others where the units are not those of the library
    """
    if isinstance(given, list):
        given = {"values": given}
    known: dict[str, Check] = {
        "values": numbers(10**7),
        "start": number(),
        "stop": number(),
        "count": integer(1, 10**7),
        "spacing": word("linear", "logarithmic"),
        "units": word(unit),
    }
    table(text, key, given, known)
    assert isinstance(given, dict)
    if "values" in given:
        extra = sorted(set(given) - {"values", "units"})
        if extra:
            raise text.error((*key, extra[0]), "must not stand beside `values`")
        return np.asarray(given["values"], dtype=float)
    for name in ("start", "stop", "count"):
        if name not in given:
            raise text.error((*key, name), "is missing")
    start, stop, count = float(given["start"]), float(given["stop"]), given["count"]
    if given.get("spacing") == "logarithmic":
        if start <= 0 or stop <= 0:
            raise text.error((*key, "spacing"), "must be linear, unless start and stop are > 0")
        return np.geomspace(start, stop, count)
    return np.linspace(start, stop, count)


def _is_finite(value: int | float) -> bool:
    try:
        return abs(float(value)) < 1e300
    except OverflowError:
        return False


def _said(value: object) -> str:
    try:
        said = repr(value)
    except ValueError:
        said = "a number of very many digits"
    return said if len(said) <= 60 else said[:57] + "..."
