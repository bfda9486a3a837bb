"""Ctrl-C with what was done until then."""

from jaxthermo._results import AbstractResult


class Interrupted(KeyboardInterrupt):
    """A keyboard interrupt of a long call, with what it had done as `result`.

    verb     name of the call, for the message
    result   what it would have returned, as far as it came; its status says that it was interrupted

    `except jt.Interrupted as stop: run = stop.result` takes it; at a prompt and in a notebook it is
    `sys.last_value.result`. Like every keyboard interrupt it ends a script that does not catch it.
    """

    def __init__(self, verb: str, result: AbstractResult):
        self.result = result
        super().__init__(
            f"{verb} was interrupted; what it had done is kept: `except jt.Interrupted as stop: stop.result`, or "
            "`sys.last_value.result` at a prompt"
        )
