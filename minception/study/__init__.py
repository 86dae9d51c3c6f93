"""Looking into networks: what their modules cost, how far they see, and a picture of their graph."""

from .picture import draw
from .summary import Row, Summary, summarize

__all__ = ["Row", "Summary", "draw", "summarize"]
