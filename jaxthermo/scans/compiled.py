"""Chunks of lanes, in parts by one compiled program, laid over devices without any exchange between them."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxthermo.scans.memory import available, bytes_per_lane, measured
from jaxthermo.scans.traced import Traced, arithmetic

# Without `chunk`: so many parts that a few tell what all will take, but at least the second number of lanes, to keep a
# device busy, and at most the third, to keep memory for others. An accelerator is not busy before a million.
ON_CPU, ON_ACCELERATOR = (64, 256, 1 << 16), (16, 4096, 1 << 20)
# But on a CPU no more lanes than these bytes hold, so that they stay in its cache, and at least the second number, for
# products of matrices. Stationary states of rings, 250 kB each, take three times as long in parts of 1024 as of 64.
IN_CACHE, AT_LEAST = 1 << 24, 8

# Where the lanes of each part are among those of a chunk.
Parts = Sequence[np.ndarray]


class Running(NamedTuple):
    """A chunk on the devices, computed or not yet: all variables of each part, whose last lanes may only fill it up."""

    results: list[tuple[Any, ...]]
    parts: Parts


class Chunks:
    """`traced` for chunks in parts of one width; compiled once, by the first call of `compile`.

    Lanes that are missing in a part are filled up by repeating its last lane, which costs no extra steps.
    """

    def __init__(self, traced: Traced, width: int, devices: Sequence[jax.Device]) -> None:
        self.width = -(-width // len(devices)) * len(devices)
        self.traced = traced
        lanes = PartitionSpec("lanes")
        mesh = Mesh(np.asarray(devices), ("lanes",))
        self.sharding = NamedSharding(mesh, lanes)
        # Lanes are independent: nothing to check between devices, and loops that end at different times.
        spread = jax.shard_map(traced.many, mesh=mesh, in_specs=lanes, out_specs=lanes, check_vma=False)
        inputs = traced.program.in_avals
        self._dtype = np.dtype(inputs[0].dtype)
        column = jax.ShapeDtypeStruct((self.width,), self._dtype, sharding=self.sharding)
        with arithmetic(traced.precision):
            self._lowered = jax.jit(spread).lower(*[column] * len(inputs))
        self._compiled: jax.stages.Compiled | None = None
        # Parts that were tried, until their chunk is computed.
        self._tried: dict[bytes, tuple[np.ndarray, ...]] = {}

    def compile(self) -> jax.stages.Compiled:
        """The executable."""
        if self._compiled is None:
            self._compiled = self._lowered.compile()
        return self._compiled

    @property
    def memory(self) -> int | None:
        """Bytes on each device while a part runs, as planned by the compiler."""
        return measured(self.compile())

    def start(self, columns: tuple[np.ndarray, ...], parts: Parts) -> Running:
        """Begin to compute these lanes; jax goes on with it in the background where it can."""
        return Running([self._start(piece) for piece in cut(columns, parts)], parts)

    def _start(self, columns: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
        if self._tried:
            known = self._tried.pop(_name(columns), None)
            if known is not None:
                return known
        missing = self.width - len(columns[0])
        filled = [np.concatenate([c, np.full(missing, c[-1])]).astype(self._dtype) for c in columns]
        program = self.compile()
        # jax would round what it puts on a device to what it is set to.
        with arithmetic(self.traced.precision):
            return tuple(program(*(jax.device_put(c, self.sharding) for c in filled)))

    def run(self, columns: tuple[np.ndarray, ...], parts: Parts | None = None) -> tuple[np.ndarray, ...]:
        """All variables of these lanes; in the order given where no parts are named."""
        return fetched(self.start(columns, in_turn(len(columns[0]), self.width) if parts is None else parts))

    def seconds(self, columns: tuple[np.ndarray, ...]) -> float:
        """What these lanes take, one part; their results are kept for the chunk that asks for the same."""
        begin = time.perf_counter()
        results = jax.block_until_ready(self._start(columns))
        self._tried[_name(columns)] = results
        return time.perf_counter() - begin


def fetched(running: Running) -> tuple[np.ndarray, ...]:
    """All variables of a chunk, as soon as it is computed."""
    lanes = sum(map(len, running.parts))
    found = []
    for each in zip(*running.results, strict=True):
        values = np.empty((lanes, *each[0].shape[1:]), each[0].dtype)
        for at, result in zip(running.parts, each, strict=True):
            values[at] = np.asarray(result)[: len(at)]
        found.append(values)
    return tuple(found)


def in_turn(lanes: int, width: int) -> list[np.ndarray]:
    """Parts of lanes that run in the order given."""
    return [np.arange(begin, min(begin + width, lanes)) for begin in range(0, lanes, width)]


def cut(columns: tuple[np.ndarray, ...], parts: Parts) -> list[tuple[np.ndarray, ...]]:
    """Columns of each part."""
    return [tuple(c[at] for c in columns) for at in parts]


def _name(columns: tuple[np.ndarray, ...]) -> bytes:
    return b"".join(column.tobytes() for column in columns)


def chosen_width(traced: Traced, lanes: int, devices: Any) -> int:
    """Lanes of a part: as memory, or the cache of a CPU, allows, and not so many that a scan has only a few parts.

    Raises     MemoryError if not even one lane of each device fits
    """
    need = max(1, bytes_per_lane(traced.program))
    fits = available(devices) // need
    if fits < 1:
        raise MemoryError(f"one lane needs about {need:.3g} bytes, but only {available(devices):.3g} are free")
    parts, fewest, most = ON_CPU if devices[0].platform == "cpu" else ON_ACCELERATOR
    if devices[0].platform == "cpu":
        most = min(most, max(AT_LEAST, IN_CACHE // need))
    wanted = min(max(-(-lanes // parts), fewest), most * len(devices))
    return int(max(1, min(wanted, fits * len(devices), lanes)))


def own_devices(devices: Any) -> list[jax.Device]:
    """The devices of this process, or those given, checked."""
    own = jax.local_devices()
    if devices is None:
        return own
    chosen = list(devices) if isinstance(devices, list | tuple | np.ndarray) else [devices]
    if not chosen or not all(isinstance(device, jax.Device) for device in chosen):
        raise ValueError(f"`devices` must be a list of jax devices and not empty, but is {devices!r}")
    if len(set(chosen)) < len(chosen) or len({device.platform for device in chosen}) > 1:
        raise ValueError(f"`devices` must be different devices of one platform, but are {chosen}")
    foreign = [device for device in chosen if device.process_index != jax.process_index()]
    if foreign:
        raise ValueError(f"`devices` must be devices of this process, but {foreign[0]} is not")
    return chosen


def zeros_like(traced: Traced, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Room for all variables over dimensions of `shape`."""
    return {v.name: np.zeros((*shape, *v.shape), v.dtype) for v in traced.variables}
