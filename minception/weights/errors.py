"""What is raised for a file of weights that cannot be used."""

from ..checkpoint import CheckpointError


class WeightsError(CheckpointError):
    """A file that cannot be read as weights, or does not fit the model; the message names it and says what is wrong."""


class FormatError(Exception):
    """What is wrong with a file, said where its name is not known; it reaches callers as a `WeightsError`."""


def shown(value):
    """The text of something that a file contains, fit for a message: short, and without control characters."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def plain(name):
    """`shown`, for text, without quotes."""
    text = shown(name)
    return text[1:-1] if text[-1] == text[0] else text[1:]
