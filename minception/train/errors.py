"""What ends a command early, other than wrong settings (`ConfigError`) and unreadable files (`CheckpointError`)."""


class RunError(Exception):
    """The command cannot go on; the message says why and what to do."""


class NonFiniteError(RunError):
    """The loss, a gradient or a parameter became NaN or infinite."""


class Interrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C was pressed, and the current step is finished."""
