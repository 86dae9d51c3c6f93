"""Layouts of random graphs: nothing overlaps, no arrow runs through a box or upward, none is missing."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from minception.study.diagram import CONVOLUTION, INPUT, JOIN, Box, Diagram
from minception.study.layout import lay_out
from minception.study.operations import Call, Operation

CALL = Call("", None, None, 0)
CONCATENATION = Operation("Concatenate", CALL, (0,), (2, 8, 4, 4), None, {"axis": 1})
SLACK = 0.01  # pixels, for rounding


@st.composite
def diagrams(draw):
    """Any graph of up to ten boxes, with one output or several."""
    boxes = [Box(INPUT, "image", (3, 8, 8))]
    for _ in range(draw(st.integers(1, 9))):
        count = min(draw(st.sampled_from([1, 1, 1, 2, 2, 3])), len(boxes))
        inputs = draw(st.lists(st.sampled_from(boxes), min_size=count, max_size=count, unique_by=id))
        if count == 1:
            label = draw(st.sampled_from(["3x3 conv, 64", "3x3 separable conv, 1024, /2"]))
            boxes.append(Box(CONVOLUTION, label, (8, 4, 4), inputs=inputs))
        elif draw(st.booleans()):
            notes = draw(st.sampled_from([[], ["scale 0.17", "ReLU"]]))
            boxes.append(Box(JOIN, "+", (8, 4, 4), inputs=inputs, notes=notes))
        else:
            boxes.append(Box(JOIN, "filter concat, 8", (8, 4, 4), CONCATENATION, inputs=inputs))
    read = {id(source) for box in boxes for source in box.inputs}
    return Diagram(boxes, [], draw(st.permutations([box for box in boxes if id(box) not in read])))


@given(diagrams())
def test_nothing_is_in_the_way(diagram):
    check(diagram)


def test_a_sum_that_is_not_right_below_what_it_adds():
    """No box is on all paths, so that there is a lane at the side, and the boxes are out of line with the sum."""
    image = Box(INPUT, "image", (3, 8, 8))
    conv = Box(CONVOLUTION, "3x3 separable conv, 1024, /2", (8, 4, 4), inputs=[image])
    concat = Box(JOIN, "filter concat, 8", (8, 4, 4), CONCATENATION, inputs=[image, conv])
    plus = Box(JOIN, "+", (8, 4, 4), inputs=[conv, concat])
    check(Diagram([image, conv, concat, plus], [], [plus]))


def check(diagram):
    picture = lay_out(diagram)
    places = {place.item: place for place in picture.placed}
    assert places.keys() == set(diagram.boxes)
    for place in picture.placed:
        assert -SLACK <= place.x and place.x + place.width <= picture.width + SLACK
        assert -SLACK <= place.y and place.y + place.height <= picture.height + SLACK
    for a, b in combinations(picture.placed, 2):
        assert not overlap(box_of(a), box_of(b)), f"{a.item.label} lies on {b.item.label}"
    assert picture.arrows.keys() == {(source, box) for box in diagram.boxes for source in box.inputs}
    for (source, target), arrow in picture.arrows.items():
        check_arrow(arrow, places[source], places[target], picture)


def check_arrow(arrow, source, target, picture):
    assert arrow.has_head and not arrow.open_top and not arrow.open_bottom
    (x, y), (end_x, end_y) = arrow.points[0], arrow.points[-1]
    assert source.x <= x <= source.x + source.width and abs(y - source.y - source.height) < SLACK
    assert target.x - SLACK <= end_x <= target.x + target.width + SLACK
    assert target.y - SLACK <= end_y < target.y + target.height
    for (x1, y1), (x2, y2) in pairwise(arrow.points):
        assert abs(x1 - x2) < SLACK or abs(y1 - y2) < SLACK, "an oblique line"
        assert y2 > y1 - SLACK, "a line upward"
        assert -SLACK < x1 < picture.width + SLACK
        way = (min(x1, x2), y1, max(x1, x2), y2)
        for place in picture.placed:
            assert not overlap(way, box_of(place)), f"an arrow runs through {place.item.label}"


def box_of(place):
    return place.x, place.y, place.x + place.width, place.y + place.height


def overlap(a, b):
    """Whether two rectangles (left, top, right, bottom), of which the first may be a line, share more than a border."""
    return a[0] < b[2] - SLACK and a[2] > b[0] + SLACK and a[1] < b[3] - SLACK and a[3] > b[1] + SLACK
