"""What the library exports, once each: what the API pages show, and what the tests of signatures check."""

import importlib
import inspect

# Title of the page, by room; what the package exports itself stands under the room that it is from.
ROOMS = {
    "brownian": "The oscillator",
    "potts": "Rings",
    "jumps": "Networks",
    "protocols": "Schedules and cycles",
    "search": "Searches",
    "scans": "Scans",
    "plot": "Pictures",
    "thermo": "Potentials",
    "experiments": "Experiments in files",
    "advice": "Audits",
}


def exported() -> list[tuple[str, object]]:
    """Functions and classes that the package and its rooms export, once, under the shortest of their names."""
    found: dict[int, tuple[str, object]] = {}
    for room in ("", *ROOMS):
        module = importlib.import_module(f"jaxthermo.{room}" if room else "jaxthermo")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return list(found.values())


def written() -> dict[str, object]:
    """Exports by every name that one may write them with: a function may be in several rooms, and in the package."""
    found: dict[str, object] = {}
    for room in ("", *ROOMS):
        module = importlib.import_module(f"jaxthermo.{room}" if room else "jaxthermo")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found[f"{room}.{name}" if room else name] = value
    for name, value in list(found.items()):
        found.setdefault(name.rpartition(".")[2], value)
    return found


def home_of(value: object) -> str:
    """Where an export is written: a room may have a module and a function of one name."""
    return f"{value.__module__}.{value.__qualname__}"  # type: ignore[attr-defined]


def room_of(name: str, value: object) -> str:
    """The room whose page shows an export; "" for the package's own."""
    shown = name.split(".")[1]
    home = getattr(value, "__module__", "").split(".")
    room = shown if shown in ROOMS else home[1] if len(home) > 1 else ""
    return room if room in ROOMS else ""
