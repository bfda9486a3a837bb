"""Datasets kept between runs: computed once for the same settings and the same code, and stored whole or not at all."""

import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray

KEY, SECONDS = "key", "seconds"
# Coordinates of words are stored as numbers, since zarr has no settled format for words.
WORDS = "words"


@functools.cache
def code_version() -> str:
    """A digest of the library's source and of jax's version: what a stored number depends on beside its settings."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256(jax.__version__.encode())
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def key_of(settings: Mapping[str, Any]) -> str:
    """Equal for equal settings under equal code."""
    text = json.dumps(settings, sort_keys=True, default=repr)
    return f"{code_version()}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def load(store: Path, group: str, key: str) -> xarray.Dataset | None:
    """The dataset of this group if it is there, whole, and was stored under this key."""
    try:
        kept = xarray.open_zarr(store, group=group, consolidated=False)
        return _named(kept.load()) if kept.attrs.get(KEY) == key else None
    except Exception:
        # Whatever is wrong with what lies there, the remedy is to compute it again.
        return None


def save(store: Path, group: str, key: str, data: xarray.Dataset) -> xarray.Dataset:
    """Store a dataset as a group, in the place of an older one; what `load` will give."""
    partial = store.with_name(f"{store.name}.{group}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _numbered(data).assign_attrs({KEY: key}).to_zarr(partial, group=group, consolidated=False, mode="w")
        shutil.rmtree(store / group, ignore_errors=True)
        store.mkdir(parents=True, exist_ok=True)
        if not (store / "zarr.json").exists():
            (partial / "zarr.json").replace(store / "zarr.json")
        # The rename is what makes the group exist, so that a run that is killed leaves no half of one.
        (partial / group).rename(store / group)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _named(xarray.open_zarr(store, group=group, consolidated=False).load())


def _numbered(data: xarray.Dataset) -> xarray.Dataset:
    """Words along an axis as numbers, with the words as an attribute."""
    named = [name for name, axis in data.coords.items() if axis.dtype.kind in "UO"]
    new = {
        name: (name, np.arange(data.sizes[name]), {**data[name].attrs, WORDS: data[name].values.tolist()})
        for name in named
    }
    return data.assign_coords(new)


def _named(data: xarray.Dataset) -> xarray.Dataset:
    """The words back in their place."""
    numbered = [name for name, axis in data.coords.items() if WORDS in axis.attrs]
    new = {}
    for name in numbered:
        attrs = dict(data[name].attrs)
        new[name] = (name, attrs.pop(WORDS), attrs)
    return data.assign_coords(new)


def fetch(
    store: Path, group: str, settings: Mapping[str, Any], make: Callable[[], xarray.Dataset]
) -> tuple[xarray.Dataset, bool]:
    """The dataset of these settings, with the seconds that it took, and whether it was there already."""
    key = key_of(settings)
    known = load(store, group, key)
    if known is not None:
        return known, True
    begin = time.monotonic()
    data = make()
    return save(store, group, key, data.assign_attrs({SECONDS: time.monotonic() - begin})), False
