"""Integer codes in labelled data, spelled out in their attributes."""

from typing import Any


def coded(words: tuple[str, ...]) -> dict[str, Any]:
    """Attributes that spell out integer codes; codes, since zarr has no settled type for words."""
    return {"flag_values": list(range(len(words))), "flag_meanings": " ".join(word.replace(" ", "_") for word in words)}
