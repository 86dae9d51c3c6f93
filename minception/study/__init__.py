"""Looking into networks: what their modules cost, how far they see, a picture of their graph, where the time goes."""

from .picture import draw
from .profile_plot import roofline
from .profile_result import Profile, ProfileRow
from .profile_roof import Roof, measure_roof
from .profile_steps import profile
from .summary import Row, Summary, summarize

__all__ = [
    "Profile",
    "ProfileRow",
    "Roof",
    "Row",
    "Summary",
    "draw",
    "measure_roof",
    "profile",
    "roofline",
    "summarize",
]
