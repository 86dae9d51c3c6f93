"""A picture of a network's graph."""

from .diagram import diagram_of
from .svg import to_svg
from .trace import checked_size, trace


def draw(model, input_size, in_channels=3, title=None):
    """Run a module on images and return a picture of its graph, as the text of an SVG file.

    input_size: height and width in pixels, an integer or a pair. title: by default the module's type. The graph is that
    of training, auxiliary heads included; it flows downward. Errors as `summarize`.
    """
    input_size = checked_size("draw", model, input_size, in_channels=in_channels)
    return picture_of(model, trace(model, input_size, in_channels), title)


def picture_of(model, recorded, title=None):
    """`draw` for a network that was run already: `recorded` is its `Trace`."""
    return to_svg(diagram_of(model, recorded), type(model).__name__ if title is None else title)
