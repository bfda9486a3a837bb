"""Integer codes in results and in labelled data, spelled out in words."""

from enum import IntEnum

import numpy as np
from jaxtyping import Array, Int


class Code(IntEnum):
    """An enumeration whose integers results carry, so that they pass through jit, vmap and stores."""

    @property
    def word(self) -> str:
        """The member's name as words: "limit cycle"."""
        return self.name.replace("_", " ")

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """The words of all members in their order."""
        return tuple(member.word for member in cls)

    @classmethod
    def spelled(cls, codes: Int[Array, "..."] | np.ndarray | int) -> str | np.ndarray:
        """The word of a code; an array of words for an array of codes."""
        found = np.asarray(cls.words())[np.asarray(codes)]
        return str(found) if found.ndim == 0 else found


def coded(words: tuple[str, ...]) -> dict[str, str | list[int]]:
    """Attributes that spell out integer codes; codes, since zarr has no settled type for words."""
    return {"flag_values": list(range(len(words))), "flag_meanings": " ".join(word.replace(" ", "_") for word in words)}
