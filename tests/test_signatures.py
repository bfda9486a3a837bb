"""What a caller reads: annotations without Any, and every argument named in the documentation."""

import dataclasses
import importlib
import inspect
import re
import typing

import pytest

import jaxthermo as jt
from jaxthermo._results import AbstractResult

ROOMS = ("protocols", "brownian", "jumps", "potts", "search", "scans", "thermo", "experiments", "plot", "advice")


def exported():
    """Everything that the package and its rooms export, once, under the first of its names."""
    found = {}
    for room in ("", *ROOMS):
        module = importlib.import_module(f"jaxthermo.{room}") if room else jt
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return list(found.values())


def signatures():
    """(name, signature, documentation) of exported functions, and of constructors and methods of exported classes."""
    for name, value in exported():
        if inspect.isfunction(value):
            yield name, inspect.signature(value), inspect.getdoc(value) or ""
            continue
        about = inspect.getdoc(value) or ""
        is_enumeration = issubclass(value, int)
        if not issubclass(value, AbstractResult | Exception) and not is_enumeration and not inspect.isabstract(value):
            yield name, inspect.signature(value), about
        for own, method in vars(value).items():
            function = getattr(method, "fget", None) or getattr(method, "__func__", None) or inspect.unwrap(method)
            if inspect.isfunction(function) and (own == "__call__" or not own.startswith("_")):
                inherited = [inspect.getdoc(getattr(base, own, None)) or "" for base in value.__mro__]
                yield f"{name}.{own}", inspect.signature(function), "\n".join([*inherited, about])


CASES = {name: (signature, text) for name, signature, text in signatures()}


def with_references(text):
    """A documentation with those that it refers to: "arguments as `fold`"."""
    named = re.findall(r"\bas `(?:jt\.)?([\w.]+)`", text)
    found = [about for name in named for full, (_, about) in CASES.items() if full.endswith(f".{name}")]
    return "\n".join([text, *found])


def is_interface_of_others(name):
    """Whether a method is one that diffrax or equinox asks for, and documents."""
    owner, _, own = name.rpartition(".")
    value = dict(exported()).get(owner)
    return inspect.isclass(value) and any(
        own in vars(base) and not base.__module__.startswith(("jaxthermo", "builtins")) for base in value.__mro__
    )


def holds_any(annotation):
    if isinstance(annotation, str):
        return re.search(r"\bAny\b", annotation) is not None
    if isinstance(annotation, list | tuple):
        return any(map(holds_any, annotation))
    return annotation is typing.Any or any(map(holds_any, typing.get_args(annotation)))


def arguments(signature):
    return [one for one in signature.parameters.values() if one.name not in ("self", "cls")]


@pytest.mark.parametrize("name", CASES)
def test_no_any_and_every_argument_said(name):
    signature, text = CASES[name]
    vague = [one.name for one in arguments(signature) if one.annotation is one.empty or holds_any(one.annotation)]
    assert not vague, f"{name}: no type for {vague}"
    assert signature.return_annotation is signature.empty or not holds_any(signature.return_annotation), name
    if is_interface_of_others(name):
        return
    silent = [one.name for one in arguments(signature) if not re.search(rf"\b{one.name}\b", with_references(text))]
    assert not silent, f"{name}: the documentation does not say what {silent} mean"


def test_fields_of_results_have_types():
    """Arrays by name: what a result holds is annotated."""
    results = [value for _, value in exported() if inspect.isclass(value) and issubclass(value, AbstractResult)]
    assert len(results) > 15
    vague = {(value.__name__, f.name) for value in results for f in dataclasses.fields(value) if holds_any(f.type)}
    assert not vague


def test_any_is_found():
    """The search for Any sees it inside other types."""
    assert holds_any(dict[str, typing.Any]) and holds_any(typing.Callable[..., typing.Any]) and holds_any("list[Any]")
    assert not holds_any(dict[str, int]) and not holds_any("Anything")
