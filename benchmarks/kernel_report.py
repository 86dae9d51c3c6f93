"""What the times of single kernels amount to: ratios, sums of each kind, and what misses its goal."""

import math
from dataclasses import dataclass

from .cases import Case
from .sides import OURS


@dataclass
class Result:
    """One case: medians of all sides in seconds, which of the others is best, and what the floor is computed from.

    best: None where there are no others. precision: of the factors of products, if not that of the arrays.
    """

    case: Case
    seconds: dict
    best: str | None
    flops: int
    bytes: int
    spread: float
    precision: str | None = None

    @property
    def name(self):
        """That of the case, with the precision."""
        return self.case.name if self.precision is None else f"{self.precision}: {self.case.name}"

    @property
    def group(self):
        """What it is added up with."""
        return self.case.group if self.precision is None else f"{self.precision}: {self.case.group}"

    @property
    def ours(self):
        return self.seconds[OURS]

    @property
    def ratio(self):
        """Our time relative to the best of the others; None without others."""
        return None if self.best is None else self.ours / self.seconds[self.best]

    def goal(self, goals):
        """What the ratio should be at most, None if nothing was set. goals: see `report`."""
        return next((goal for words, goal in goals.items() if self.case.kind.startswith(words)), None)

    def floor(self, roof):
        """Our time relative to the least possible."""
        return self.ours / max(roof.seconds(self.flops, self.bytes), 1e-12)

    def misses(self, goals):
        """Whether the ratio is above its goal."""
        goal = self.goal(goals)
        return goal is not None and self.best is not None and self.ratio > goal

    def line(self, roof, goals):
        """One line of the table."""
        missed = " !" if self.misses(goals) else "  "
        ratio, other, mode = " " * 5, " " * 13, ""
        if self.best is not None:
            ratio, other = f"{self.ratio:5.2f}", f"{self.seconds[self.best] * 1e6:10.1f} us"
            mode = self.best.removeprefix("torch")
        return f"{ratio}{missed} {self.floor(roof):6.1f} {self.ours * 1e6:10.1f} us {other}  {mode:22} {self.name}"


def report(results, roof, goals, goals_of_all):
    """Lines of a report: the table, sums of each kind, and the list of what misses its goal.

    goals: for the ratio of our time to the best of PyTorch's, by the words that a kind begins with. goals_of_all: words
    that several kinds begin with, whose sum is shown too, and the goal of that or None.
    """
    peak, bandwidth = roof.flops_per_second / 1e9, roof.bytes_per_second / 1e9
    yield f"\n{roof.machine}: {peak:.0f} GFLOP/s (matrix product), {bandwidth:.1f} GB/s (copy)"
    yield "ratio: our time to that of the fastest of PyTorch's modes; floor: our time to the least possible\n"
    yield "ratio    floor          ours         torch  best mode of torch     case"
    for result in sorted(results, key=lambda result: (result.group, -(result.ratio or 0))):
        yield result.line(roof, goals)
    yield f"\n{'kind':42} {'cases':>5} {'geometric mean':>14} {'total time':>10} {'of the floor':>12}  goal of each"
    groups = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    for group, members in sorted(groups.items()):
        yield _sum(group, members, roof, members[0].goal(goals))
    for words, goal in goals_of_all.items():
        members = [result for result in results if result.case.kind.startswith(words)]
        if members:
            yield _sum(f"all: {words}", members, roof, goal)
    missed = [result for result in results if result.misses(goals)]
    with_goal = sum(result.goal(goals) is not None and result.best is not None for result in results)
    yield f"\nAbove the goal: {len(missed)} of {with_goal}"
    for result in sorted(missed, key=lambda result: -result.ratio / result.goal(goals)):
        yield f"  {result.ratio:.2f} instead of {result.goal(goals):.2f}: {result.name}"


def _sum(title, members, roof, goal):
    """A line about several results. Each shape counts in the total time as often as its network has it."""
    ours, least = (
        sum(seconds(result) * result.case.count for result in members)
        for seconds in (lambda result: result.ours, lambda result: roof.seconds(result.flops, result.bytes))
    )
    ratios = " " * 25
    compared = [result for result in members if result.best is not None]
    if compared:
        geometric = math.exp(sum(math.log(result.ratio) for result in compared) / len(compared))
        both = [(r.ours * r.case.count, r.seconds[r.best] * r.case.count) for r in compared]
        ratios = f"{geometric:14.2f} {sum(ours for ours, _ in both) / sum(others for _, others in both):10.2f}"
    shown = "" if goal is None else f"{goal:.2f}"
    return f"{title:42} {len(members):5} {ratios} {least / ours:12.0%}  {shown}"
