"""The networks, one file for each."""

from .mini_inception import MiniInception, mini_inception
from .mini_xception import MiniXception, mini_xception

__all__ = ["MiniInception", "MiniXception", "create", "mini_inception", "mini_xception", "names"]

_CONSTRUCTORS = {
    "mini_inception": mini_inception,
    "mini_xception": mini_xception,
}


def names():
    """The names that `create` knows, sorted."""
    return sorted(_CONSTRUCTORS)


def create(name, **options):
    """Build the network `name` with its constructor's options. Raises ValueError for an unknown name."""
    if name not in _CONSTRUCTORS:
        raise ValueError(f"create: unknown model {name!r}; known models: {', '.join(names())}")
    return _CONSTRUCTORS[name](**options)
