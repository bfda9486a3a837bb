"""What a caller reads: annotations without Any. That every argument is documented is checked by `website.check`."""

import dataclasses
import importlib.util
import inspect
import re
import typing

import pytest

from jaxthermo._results import AbstractResult
from website.check import SIGNATURES, arguments
from website.exports import exported


def holds_any(annotation):
    if isinstance(annotation, str):
        return re.search(r"\bAny\b", annotation) is not None
    if isinstance(annotation, list | tuple):
        return any(map(holds_any, annotation))
    return annotation is typing.Any or any(map(holds_any, typing.get_args(annotation)))


@pytest.mark.parametrize("name", SIGNATURES)
def test_no_any(name):
    signature = SIGNATURES[name].signature
    vague = [one.name for one in arguments(signature) if one.annotation is one.empty or holds_any(one.annotation)]
    assert not vague, f"{name}: no type for {vague}"
    assert signature.return_annotation is signature.empty or not holds_any(signature.return_annotation), name


def test_fields_of_results_have_types():
    """Arrays by name: what a result holds is annotated."""
    results = [value for _, value in exported() if inspect.isclass(value) and issubclass(value, AbstractResult)]
    assert len(results) > 15
    vague = {(value.__name__, f.name) for value in results for f in dataclasses.fields(value) if holds_any(f.type)}
    assert not vague


def test_no_function_hides_a_module():
    """Where both have one name, `import` gives the one and attributes the other."""
    assert importlib.util.find_spec("jaxthermo.jumps.folds")
    hidden = [name for name, value in exported() if inspect.isfunction(value) and importlib.util.find_spec(name)]
    assert not hidden


def test_any_is_found():
    """The search for Any sees it inside other types."""
    assert holds_any(dict[str, typing.Any]) and holds_any(typing.Callable[..., typing.Any]) and holds_any("list[Any]")
    assert not holds_any(dict[str, int]) and not holds_any("Anything")
