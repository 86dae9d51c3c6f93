"""What `profile` returns: rows, totals, and the sums of rows of one kind."""

from dataclasses import asdict, dataclass, fields

from .profile_roof import Roof

ENGINE = "engine"  # the kind of everything outside kernels: autograd, modules, Python
DIRECTIONS = ("forward", "backward", "update")


@dataclass(frozen=True)
class ProfileRow:
    """All calls of one kernel, of one kind, for one module, in one step.

    layer: the path of the innermost module that ran it, "" for the network itself. kernel: its name; operations that
    call none go by the name of their Function, and "" is what is outside. direction: "forward", "backward" or "update".
    seconds: the sum over the calls of the median of each. flops, bytes: see `profile_costs`. floor_seconds: the time
    that they take at least on this machine. saved_bytes: what the calls keep in memory for the backward pass.
    """

    layer: str
    kind: str
    kernel: str
    direction: str
    calls: int = 0
    seconds: float = 0.0
    flops: int = 0
    bytes: int = 0
    floor_seconds: float = 0.0
    saved_bytes: int = 0

    @property
    def of_floor(self):
        """floor_seconds / seconds: 1 is as fast as the machine can be, 0 where nothing has to be done."""
        return self.floor_seconds / self.seconds if self.seconds > 0 else 0.0

    @property
    def intensity(self):
        """Arithmetic intensity in FLOP/byte; 0 where nothing is moved."""
        return self.flops / self.bytes if self.bytes else 0.0


@dataclass(frozen=True)
class Profile:
    """The rows of a step in the order in which they first run, and the machine's roof.

    step_seconds: the median of whole steps that nobody observed. peak_bytes: the most memory that arrays took at a time
    in one step, beyond what was there before it: activations, gradients and what kernels need meanwhile, but for the
    memory that compiled kernels take for themselves. See `profile_device.memory_traced`.
    """

    model: str
    input_size: tuple
    in_channels: int
    batch_size: int
    training: bool
    repeat: int
    roof: Roof
    rows: tuple
    step_seconds: float
    peak_bytes: int

    @property
    def seconds(self):
        """The sum over all rows."""
        return sum(row.seconds for row in self.rows)

    @property
    def saved_bytes(self):
        """What the forward pass keeps for the backward pass."""
        return sum(row.saved_bytes for row in self.rows)

    def by(self, *names):
        """Rows added up where the fields `names` agree, the longest first; other words in them are "".

        Raises ValueError for what is no field to agree in.
        """
        groups = {}
        for name in names:
            if name not in ("layer", "kind", "kernel", "direction"):
                raise ValueError(f"by: rows agree in layer, kind, kernel or direction, not in {name!r}")
        for row in self.rows:
            groups.setdefault(tuple(getattr(row, name) for name in names), []).append(row)
        sums = [_sum_of(rows, dict(zip(names, key, strict=True))) for key, rows in groups.items()]
        return sorted(sums, key=lambda row: -row.seconds)

    def to_dict(self):
        """The profile as a dictionary of plain values."""
        return asdict(self) | {"seconds": self.seconds, "saved_bytes": self.saved_bytes}

    def __str__(self):
        from .profile_table import as_text

        return as_text(self)


def _sum_of(rows, words):
    words = dict.fromkeys(("layer", "kind", "kernel", "direction"), "") | words
    numbers = [field.name for field in fields(ProfileRow) if field.name not in words]
    return ProfileRow(**words, **{name: sum(getattr(row, name) for row in rows) for name in numbers})
