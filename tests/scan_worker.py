"""One run of a scan in a process of its own, to be killed: `python scan_worker.py STORE [OPTION=VALUE ...]`.

Options: process, processes, port (a run of several processes), chunks, turns (work of a lane), out (a file for the
dataset's values), dask (the file of a scheduler, whose workers compute).
"""

import os
import sys

os.environ["JAX_PLATFORMS"] = "cpu"

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np

import jaxthermo as jt

LANES = 4


def function(a, turns=3000):
    """Some milliseconds of arithmetic; one lane of NaN."""
    y = jax.lax.fori_loop(0, turns, lambda i, y: jnp.sin(y) + a, a)
    return {"y": jnp.where(a == 2.0, jnp.nan, y), "pair": jnp.stack([a, y])}


def axes(chunks):
    return {"a": np.linspace(0.0, 4.0, LANES * chunks + 1)[1:]}


def main(store, *options):
    given = dict(option.split("=") for option in options)
    number = {"process": 0, "processes": 1, "chunks": 200, "turns": 3000}
    number |= {name: int(value) for name, value in given.items() if name not in ("out", "dask")}
    if number["processes"] > 1:
        jax.distributed.initialize(
            f"127.0.0.1:{number['port']}",
            number["processes"],
            number["process"],
            heartbeat_timeout_seconds=10,
            shutdown_timeout_seconds=5,
        )
    turns, client = number["turns"], None
    if "dask" in given:
        from distributed import Client

        client = Client(scheduler_file=given["dask"])
    data = jt.scan(lambda a: function(a, turns), axes(number["chunks"]), store=store, chunk=LANES, client=client)
    if "out" in given:
        np.savez(given["out"], **{name: data[name].values for name in data.variables})


if __name__ == "__main__":
    main(*sys.argv[1:])
