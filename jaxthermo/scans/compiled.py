"""Chunks of lanes as one compiled program, laid over devices without any exchange between them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxthermo.scans.memory import available, bytes_per_lane, measured
from jaxthermo.scans.traced import Traced, arithmetic

# Without `chunk`: so many chunks that little is lost when a scan is killed, but at least the second number of lanes, to
# keep a device busy, and at most the third, to keep a disk busy. An accelerator is not busy before a million.
ON_CPU, ON_ACCELERATOR = (64, 256, 1 << 16), (16, 4096, 1 << 20)


class Running(NamedTuple):
    """A chunk on the devices, computed or not yet; lanes after the first `lanes` only fill it up."""

    results: tuple[jax.Array, ...]
    lanes: int


class Chunks:
    """`traced` for chunks of one width; compiled once, by the first call of `compile`.

    Lanes that are missing in the last chunk are filled up by repeating its last lane, which costs no extra steps.
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

    def compile(self) -> jax.stages.Compiled:
        """The executable."""
        if self._compiled is None:
            self._compiled = self._lowered.compile()
        return self._compiled

    @property
    def memory(self) -> int | None:
        """Bytes on each device while a chunk runs, as planned by the compiler."""
        return measured(self.compile())

    def start(self, columns: tuple[np.ndarray, ...]) -> Running:
        """Begin to compute these lanes; jax goes on with it in the background where it can."""
        lanes = len(columns[0])
        filled = [np.concatenate([c, np.full(self.width - lanes, c[-1])]).astype(self._dtype) for c in columns]
        program = self.compile()
        # jax would round what it puts on a device to what it is set to.
        with arithmetic(self.traced.precision):
            return Running(program(*(jax.device_put(c, self.sharding) for c in filled)), lanes)

    def run(self, columns: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """All variables of these lanes."""
        return fetched(self.start(columns))


def fetched(running: Running) -> tuple[np.ndarray, ...]:
    """All variables of a chunk, as soon as it is computed."""
    return tuple(np.asarray(result)[: running.lanes] for result in running.results)


def chosen_width(traced: Traced, lanes: int, devices: Any) -> int:
    """Lanes of a chunk: as memory allows, and not so many that a scan has only a few chunks.

    Raises     MemoryError if not even one lane of each device fits
    """
    fits = available(devices) // max(1, bytes_per_lane(traced.program))
    if fits < 1:
        need = bytes_per_lane(traced.program)
        raise MemoryError(f"one lane needs about {need:.3g} bytes, but only {available(devices):.3g} are free")
    chunks, fewest, most = ON_CPU if devices[0].platform == "cpu" else ON_ACCELERATOR
    wanted = min(max(-(-lanes // chunks), fewest), most * len(devices))
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
