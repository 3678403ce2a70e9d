"""Sizes, crops and positions hold for every source and preset."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.core import geometry
from imgpipe.core.geometry import FOCUS, Crop
from imgpipe.core.image import Header
from imgpipe.core.recipe import Fit, Format, Gravity, Preset

sides = st.integers(1, 20_000)
sources = st.tuples(sides, sides)
gravities = st.sampled_from(sorted(FOCUS))


@st.composite
def presets(draw: st.DrawFn) -> Preset:
    fit = draw(st.sampled_from(Fit))
    width, height = draw(sides), draw(sides)
    missing = draw(st.sampled_from(("none", "width", "height"))) if fit is Fit.INSIDE else "none"
    return Preset(
        name="p",
        fit=fit,
        width=None if missing == "width" else width,
        height=None if missing == "height" else height,
        enlarge=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("fit", "box", "enlarge", "size", "canvas"),
    [
        (Fit.INSIDE, (1600, 1600), False, (1600, 1200), (1600, 1200)),
        (Fit.INSIDE, (8000, None), False, (4032, 3024), (4032, 3024)),
        (Fit.INSIDE, (8064, None), True, (8064, 6048), (8064, 6048)),
        (Fit.INSIDE, (None, 756), False, (1008, 756), (1008, 756)),
        (Fit.COVER, (400, 400), False, (400, 400), (400, 400)),
        (Fit.COVER, (6048, 3024), False, (4032, 2016), (4032, 2016)),
        (Fit.COVER, (6048, 3024), True, (6048, 3024), (6048, 3024)),
        (Fit.CONTAIN, (400, 400), False, (400, 300), (400, 400)),
        (Fit.CONTAIN, (5000, 5000), False, (4032, 3024), (5000, 5000)),
        (Fit.FILL, (100, 900), False, (100, 900), (100, 900)),
        (Fit.FILL, (100, 6048), False, (50, 3024), (50, 3024)),
    ],
)
def test_each_fit_lays_a_camera_photo_out(
    fit: Fit, box: tuple[int | None, int | None], enlarge: bool, size: tuple[int, int], canvas: tuple[int, int]
) -> None:
    preset = Preset(name="p", fit=fit, width=box[0], height=box[1], enlarge=enlarge)
    plan = geometry.layout((4032, 3024), preset, (0.5, 0.5))
    assert (plan.size, plan.canvas) == (size, canvas)


@given(sources, presets(), gravities)
def test_a_layout_never_leaves_its_source_its_box_or_its_canvas(
    source: tuple[int, int], preset: Preset, gravity: Gravity
) -> None:
    plan = geometry.layout(source, preset, FOCUS[gravity])
    crop = plan.crop
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.width <= source[0] + 1e-6
    assert crop.top + crop.height <= source[1] + 1e-6
    assert min(plan.size) >= 1
    for axis, bound in enumerate((preset.width, preset.height)):
        assert bound is None or plan.canvas[axis] <= bound
        assert plan.offset[axis] >= 0
        assert plan.offset[axis] + plan.size[axis] <= plan.canvas[axis]
        assert preset.enlarge or plan.size[axis] <= source[axis]


@given(sources, presets(), gravities)
def test_nothing_but_fill_stretches(source: tuple[int, int], preset: Preset, gravity: Gravity) -> None:
    plan = geometry.layout(source, preset, FOCUS[gravity])
    if preset.fit is not Fit.FILL:
        across, down = plan.size[0] / plan.crop.width, plan.size[1] / plan.crop.height
        # Rounding to whole pixels moves a side by half a pixel, and no side is below one.
        slack = 1 / min(plan.size[0], plan.size[1])
        assert min(plan.size) == 1 or math.isclose(across, down, rel_tol=slack)


@given(sources, presets())
def test_a_decoder_that_shrinks_to_the_decode_size_enlarges_no_crop(source: tuple[int, int], preset: Preset) -> None:
    plan = geometry.layout(source, preset, (0.5, 0.5))
    decoded = geometry.decode_size(source, [plan])
    left, top, right, bottom = plan.crop.within((0, 0, *decoded), source)
    if plan.size[0] <= plan.crop.width and plan.size[1] <= plan.crop.height:
        assert right - left >= plan.size[0] - 1e-6
        assert bottom - top >= plan.size[1] - 1e-6


def test_the_decode_size_is_that_of_the_hungriest_crop() -> None:
    web = geometry.layout((4032, 3024), Preset(name="web", width=1600, height=1600), (0.5, 0.5))
    square = geometry.layout((4032, 3024), Preset(name="s", fit=Fit.COVER, width=1500, height=1500), (0.5, 0.5))
    assert geometry.decode_size((4032, 3024), [web]) == (1600, 1200)
    assert geometry.decode_size((4032, 3024), [web, square]) == (2000, 1500)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_shrunk_decode_covers_a_fraction_of_its_last_pixels_wherever_these_lie(orientation: int) -> None:
    stored = (1365, 2047)
    header = Header(Format.JPEG, stored, orientation)
    decoded = (171, 256)
    upright = decoded if orientation <= 4 else decoded[::-1]
    left, top, right, bottom = geometry.extent(header, upright)
    width, height = header.upright
    assert (right - left, bottom - top) == (width / 8, height / 8)
    # Of the stored image the last column and row are empty in part; where an orientation puts them, the extent ends.
    turns = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    assert (left > 0, top > 0) == tuple(map(bool, turns[orientation]))
    assert right <= upright[0]
    assert bottom <= upright[1]


def test_a_full_decode_covers_all_of_its_pixels() -> None:
    assert geometry.extent(Header(Format.JPEG, (1365, 2047)), (1365, 2047)) == (0, 0, 1365, 2047)


def test_gravity_says_which_part_a_crop_keeps() -> None:
    def crop(gravity: Gravity) -> Crop:
        preset = Preset(name="p", fit=Fit.COVER, width=100, height=100)
        return geometry.layout((400, 200), preset, FOCUS[gravity]).crop

    assert [crop(gravity).left for gravity in (Gravity.WEST, Gravity.CENTER, Gravity.EAST)] == [0, 100, 200]
    assert crop(Gravity.NORTH) == crop(Gravity.SOUTH) == Crop(100, 0, 200, 200)


def test_gravity_says_where_a_mark_goes_and_the_margin_gives_way() -> None:
    assert geometry.place((1000, 500), (100, 50), FOCUS[Gravity.SOUTHEAST], 20) == (880, 430)
    assert geometry.place((1000, 500), (100, 50), FOCUS[Gravity.NORTHWEST], 20) == (20, 20)
    assert geometry.place((100, 50), (100, 50), FOCUS[Gravity.SOUTHEAST], 20) == (0, 0)


@given(st.tuples(st.integers(7, 500), st.integers(7, 500)), st.tuples(st.integers(1, 200), st.integers(1, 200)))
def test_tiles_cover_the_canvas_without_a_hole_wider_than_the_gap(room: tuple[int, int], size: tuple[int, int]) -> None:
    gap = 7
    canvas = size[0] + room[0], size[1] + room[1]
    centres = geometry.tiles(canvas, size, gap, rotation=0)
    places = [(x - size[0] // 2, y - size[1] // 2) for x, y in centres]
    rows = sorted({y for _, y in places})
    assert rows[0] <= gap + 1
    assert rows[-1] + size[1] >= canvas[1] - gap - 1
    assert all(abs(below - above - size[1] - gap) <= 1 for above, below in itertools.pairwise(rows))
    for row in rows:
        starts = sorted(x for x, y in places if y == row)
        assert starts[0] <= gap + 1
        assert starts[-1] + size[0] >= canvas[0] - gap - 1
        assert all(abs(after - before - size[0] - gap) <= 1 for before, after in itertools.pairwise(starts))


@pytest.mark.parametrize("rotation", [0, 30, -45, 90, 200])
def test_a_turned_pattern_is_as_dense_as_a_straight_one(rotation: float) -> None:
    canvas, size, gap = (1066, 1600), (400, 40), 40
    count = len(list(geometry.tiles(canvas, size, gap, rotation)))
    cell = (size[0] + gap) * (size[1] + gap)
    assert canvas[0] * canvas[1] / cell * 0.9 < count < canvas[0] * canvas[1] / cell * 1.8


def test_a_share_is_alike_on_portrait_landscape_and_square() -> None:
    assert geometry.share((1600, 900), 0.05) == geometry.share((900, 1600), 0.05) == geometry.share((1200, 1200), 0.05)
