"""Pictures of networks: what is on them, where it stands, and that they are well-formed."""

import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from typing import NamedTuple

import pytest

import minception.functional as F
from minception import models, nn
from minception.models.blocks import ConvBNReLU
from minception.models.mini_inception import Inception
from minception.study import draw
from tests.study.networks import Dense, Entangled, Forked, Gated, TwoHeads

SVG = "{http://www.w3.org/2000/svg}"


class Shape(NamedTuple):
    """A box or frame: its text (the label, then the notes; a frame's title and size), its module, its rectangle."""

    texts: tuple
    module: str
    kind: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self):
        return (self.left + self.right) / 2

    def holds(self, other):
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )

    def overlaps(self, other):
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


class Picture:
    """What an SVG file shows: boxes, frames, and arrows as lists of points."""

    def __init__(self, text):
        self.root = ElementTree.fromstring(text)
        groups = [group for group in self.root.iter(f"{SVG}g") if group.get("data-module") is not None]
        shapes = [self.shape(group) for group in groups]
        self.boxes = [shape for shape in shapes if shape.kind != "frame"]
        self.frames = [shape for shape in shapes if shape.kind == "frame"]
        self.arrows = [
            [tuple(map(float, point.split(","))) for point in line.get("points").split()]
            for line in self.root.iter(f"{SVG}polyline")
        ]

    def shape(self, group):
        texts = tuple(text.text for text in group.iter(f"{SVG}text"))
        rect = group.find(f"{SVG}rect")
        x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        kind = group.get("class").split()[-1]
        return Shape(texts, group.get("data-module"), kind, x, y, x + width, y + height)

    def box(self, module):
        """The only box of a module."""
        (box,) = [box for box in self.boxes if box.module == module]
        return box

    def labels(self):
        return [box.texts for box in self.boxes]

    def inside(self, title):
        (frame,) = [frame for frame in self.frames if frame.texts[0] == title]
        return [box for box in self.boxes if frame.holds(box)]


NETWORKS = {
    "inception": (lambda: Inception(6, 4, (3, 5), (2, 3), 7), 8, 6),
    "mini_inception": (models.mini_inception, 32, 3),
    "mini_xception": (models.mini_xception, 32, 3),
    "resnet18": (models.resnet18, 32, 3),
    "heads": (TwoHeads, 8, 3),
    "googlenet": (lambda: models.googlenet(width=0.125, stem="cifar"), 32, 3),
    "inception_resnet_v2": (lambda: models.inception_resnet_v2(width=0.125, stem="cifar", blocks=(1, 2, 2)), 32, 3),
    "forked": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), Forked(4), nn.MaxPool2d(2), Forked(25)), 8, 3),
    "dense": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), Dense(4), Gated(16), Gated(16), nn.Flatten()), 8, 3),
    "entangled": (Entangled, 8, 3),
    "lenet": (models.lenet5, 32, 1),
    "nothing": (nn.Identity, 8, 3),
}


@pytest.fixture(scope="module", params=NETWORKS)
def picture(request):
    build, size, channels = NETWORKS[request.param]
    return Picture(draw(build(), size, channels))


def test_nothing_overlaps(picture):
    width, height = float(picture.root.get("width")), float(picture.root.get("height"))
    page = Shape((), "", "", 0, 0, width, height)
    for shapes in (picture.boxes, picture.frames):
        assert all(page.holds(shape) for shape in shapes)
        for a, b in combinations(shapes, 2):
            assert not a.overlaps(b), f"{a.texts} lies on {b.texts}"
    for frame in picture.frames:
        for box in picture.boxes:
            assert frame.holds(box) or not frame.overlaps(box)


def test_frames_hold_their_modules(picture):
    for frame in picture.frames:
        inside = {box for box in picture.boxes if frame.holds(box)}
        assert inside == {box for box in picture.boxes if f"{box.module}.".startswith(f"{frame.module}.")}
        assert len(inside) > 1


def test_arrows_keep_clear(picture):
    """Lines run down or across, end at boxes (or where they split), and run through none, nor through other frames."""
    heads = [line for line in picture.root.iter(f"{SVG}polyline") if line.get("marker-end") is not None]
    circles = [circle for circle in picture.root.iter(f"{SVG}circle") if circle.get("class") == "split"]
    assert len(heads) + len(circles) == len(picture.arrows), "an arrow has a head, or it splits up in a frame"
    splits = [points[-1] for points in picture.arrows]
    for points in picture.arrows:
        x, y = points[0]
        assert points[0] in splits or any(
            abs(y - box.bottom) < 0.2 and box.left <= x <= box.right for box in picture.boxes
        )
        for (x1, y1), (x2, y2) in pairwise(points):
            assert (x1 == x2 and y1 < y2) or y1 == y2
            way = Shape((), "", "", min(x1, x2), y1 + 0.2, max(x1, x2), y2 - 0.2)
            assert not any(way.overlaps(shrunk(box)) for box in picture.boxes)
            for frame in picture.frames:
                if way.overlaps(shrunk(frame)):
                    ends = [Shape((), "", "", x, y, x, y) for x, y in (points[0], points[-1])]
                    assert any(frame.holds(end) for end in ends), f"an arrow passes through {frame.texts}"


def shrunk(shape):
    left, top, right, bottom = shape.left + 0.2, shape.top + 0.2, shape.right - 0.2, shape.bottom - 0.2
    return shape._replace(left=left, top=top, right=right, bottom=bottom)


def test_it_is_always_the_same(picture):
    assert draw(TwoHeads(), 8) == draw(TwoHeads(), 8)


def test_an_inception_module():
    """Figure 2(b) of the paper, upside down: four columns in the order of the concatenation, which spans them all."""
    picture = Picture(draw(Inception(6, 4, (3, 5), (2, 3), 7), 8, 6))
    assert picture.labels() == [
        ("image", "6 x 8 x 8"),
        ("1x1 conv, 4", "BN, ReLU"),
        ("1x1 conv, 3", "BN, ReLU"),
        ("3x3 conv, 5", "BN, ReLU"),
        ("1x1 conv, 2", "BN, ReLU"),
        ("3x3 conv, 3", "BN, ReLU"),
        ("3x3 conv, 3", "BN, ReLU"),
        ("3x3 max pool",),
        ("1x1 conv, 7", "BN, ReLU"),
        ("filter concat, 19",),
    ]
    columns = [
        [picture.box("branch1x1.conv")],
        [picture.box("branch3x3.0.conv"), picture.box("branch3x3.1.conv")],
        [picture.box("branch5x5.0.conv"), picture.box("branch5x5.1.conv"), picture.box("branch5x5.2.conv")],
        [picture.box("branch_pool.0"), picture.box("branch_pool.1.conv")],
    ]
    image, concatenation = picture.boxes[0], picture.boxes[-1]
    for column in columns:
        assert all(box.middle == pytest.approx(column[0].middle, abs=0.2) for box in column)
        assert all(upper.bottom < lower.top for upper, lower in pairwise([image, *column, concatenation]))
        assert concatenation.left <= column[0].left and column[0].right <= concatenation.right
    assert all(a[0].right < b[0].left for a, b in pairwise(columns))
    assert len({column[-1].top for column in columns}) == 1, "all branches end in one row"
    assert len(picture.arrows) == 4 + 1 + 2 + 1 + 4


def test_every_module_is_there():
    model = models.mini_inception()
    picture = Picture(draw(model, 32))
    modules = {box.module for box in picture.boxes}
    drawn = (nn.Conv2d, nn.MaxPool2d, nn.Linear, nn.Dropout)
    assert {name for name, module in model.named_modules() if isinstance(module, drawn)} <= modules
    titles = [frame.texts for frame in picture.frames]
    assert titles == [
        ("inception2a", "224 x 16 x 16"),
        ("inception3a", "448 x 8 x 8"),
        ("inception3b", "448 x 8 x 8"),
        ("inception4a", "704 x 4 x 4"),
    ]
    for title, _ in titles:
        assert [box.texts[0].split(",")[0] for box in picture.inside(title)].count("3x3 conv") == 3
        assert len(picture.inside(title)) == 9


def test_residuals():
    """Blocks of Xception: a chain, the skip beside it, and a sum under the chain that the skip enters from the side."""
    picture = Picture(draw(models.mini_xception(), 32))
    chain = picture.inside("entry1")
    assert [box.texts for box in chain] == [
        ("ReLU",),
        ("3x3 separable conv, 64", "BN, ReLU"),
        ("3x3 separable conv, 64", "BN"),
        ("3x3 max pool, /2",),
        ("1x1 conv, 64, /2", "BN"),
        ("+",),
    ]
    *main, skip, plus = chain
    assert all(box.middle == pytest.approx(plus.middle, abs=0.2) for box in main)
    assert skip.left > max(box.right for box in main)
    assert [points[-1] for points in picture.arrows].count((plus.right, (plus.top + plus.bottom) / 2)) == 1
    relu, _, _, plus = picture.inside("middle.0")
    (way,) = [points for points in picture.arrows if points[-1] == (plus.right, (plus.top + plus.bottom) / 2)]
    assert way[0][1] < relu.top and max(x for x, _ in way) > relu.right


def test_auxiliary_heads_stand_at_the_side():
    picture = Picture(draw(TwoHeads(), 8))
    frames = {frame.module: frame for frame in picture.frames}
    assert sorted(frames) == ["aux1", "aux2", "first", "second", "third"]
    for after, head, before in (("first", "aux1", "second"), ("second", "aux2", "third")):
        assert frames[head].left > frames[before].right
        assert frames[head].top >= frames[after].bottom
        assert [box.texts[0] for box in picture.inside(head)] == [
            "average pool to 2x2", "1x1 conv, 6", "dropout", "linear, 5",
        ]  # fmt: skip
    assert frames["first"].middle == pytest.approx(frames["third"].middle, abs=0.2)
    times = "\N{MULTIPLICATION SIGN}"
    assert picture.boxes[0].texts == ("image", f"3 x 8 x 8, {times} 2, shifted")


def test_concatenations_of_concatenations_are_one():
    """Figure 7 of the Inception v3 paper: the branch forks, and both ends enter the only concatenation."""
    picture = Picture(draw(Forked(3), 8))
    assert [box.texts[0] for box in picture.boxes if "concat" in box.texts[0]] == ["filter concat, 25"]
    fork, left, right = (picture.box(f"{name}.conv") for name in ("branch2", "branch2a", "branch2b"))
    assert left.top == right.top > fork.bottom and left.right < right.left
    assert left.middle < fork.middle < right.middle


def test_layers_of_one_module_with_flat_names():
    picture = Picture(draw(models.inception_v2(width=0.125, stem="cifar", num_classes=3), 8))
    titles = [f"inception_{name}" for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
    assert [frame.texts[0] for frame in picture.frames] == titles
    assert [len(picture.inside(title)) for title in titles] == [9, 9, 7, 9, 9, 9, 9, 7, 9, 9]
    convolutions = [box.module for box in picture.inside("inception_3a") if box.kind == "convolution"]
    assert len(convolutions) == 7 and all(module.startswith("inception_3a_") for module in convolutions)


def test_a_gate():
    labels = Picture(draw(Gated(3), 8, 3)).labels()
    times = "\N{MULTIPLICATION SIGN}"
    assert labels[1:] == [
        ("3x3 conv, 3",), ("global average pool",), ("1x1 conv, 3", "sigmoid"), (times,), ("+", "scale 0.5"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "label"),
    [
        (nn.Conv2d(4, 8, (1, 7), padding=(0, 3)), "1x7 conv, 8"),
        (nn.Conv2d(4, 8, 3, stride=2, dilation=2), "3x3 conv, 8, dilated 2, /2"),
        (nn.Conv2d(4, 8, 3, stride=(2, 1), groups=2), "3x3 conv, 8, /2x1, 2 groups"),
        (nn.Conv2d(4, 8, 3, groups=4), "3x3 depthwise conv, 8"),
        (nn.SeparableConv2d(4, 8, 3, stride=2), "3x3 separable conv, 8, /2"),
        (nn.AvgPool2d(5, 3), "5x5 average pool, /3"),
        (nn.AdaptiveAvgPool2d(1), "global average pool"),
        (nn.LocalResponseNorm(5), "local response norm"),
        (nn.Softmax(1), "softmax"),
    ],
)
def test_labels(layer, label):
    picture = Picture(draw(layer, 16, 4))
    assert [box.texts[0] for box in picture.boxes] == ["image", label]


def test_other_activations():
    layers = nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.ELU(), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(2)
    assert Picture(draw(nn.Sequential(*layers), 4)).labels()[1:] == [
        ("1x1 conv, 2", "BN, ELU"), ("2x2 max pool, /2",), ("ReLU",), ("batch norm",),
    ]  # fmt: skip


def test_what_is_read_twice_takes_nothing_in():
    class Leaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            x = self.conv(x)
            return F.relu(x) + x

    assert Picture(draw(Leaky(), 4)).labels()[1:] == [("1x1 conv, 2",), ("ReLU",), ("+",)]


def test_concatenations_along_other_axes_stay():
    class Crossed(nn.Module):
        def forward(self, x):
            rows = F.cat([F.relu(x), F.tanh(x)], dim=2)
            return F.cat([rows, F.cat([F.elu(x), F.sigmoid(x)], dim=2)], dim=1)

    labels = [label for (label, *_) in Picture(draw(Crossed(), 4)).labels()]
    assert labels[-1] == "filter concat, 6" and labels.count("concat, 3") == 2


def test_names_are_escaped():
    model = nn.Sequential({'<b> & "c"': nn.Sequential(ConvBNReLU(3, 2, 1)), "d": Forked(2)})
    picture = Picture(draw(model, 8, title="<i> & 'j'"))
    assert picture.boxes[1].module == '<b> & "c".0.conv'
    assert picture.root.find(f"{SVG}title").text == "<i> & 'j'"


def test_a_module_that_is_called_twice_has_two_frames():
    block = Forked(25)
    picture = Picture(draw(nn.Sequential({"a": nn.Conv2d(3, 25, 1), "b": block, "c": nn.ReLU(), "d": block}), 8))
    assert [frame.texts[0] for frame in picture.frames] == ["b", "b"]


def test_a_module_with_two_inputs_gets_no_frame():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x, y):
            return self.a(x) + self.b(y)

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.sum = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1), Sum()

        def forward(self, x):
            return self.sum(self.first(x), self.second(x))

    picture = Picture(draw(Outer(), 8))
    assert not picture.frames and len(picture.boxes) == 6
