import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from imgpipe.core.recipe import Asset, Fit, Gravity, Limits, Preset, Recipe, Watermark

FONT = Asset("font.ttf", b"a font")
MARK = Watermark(text="PROOF", font=FONT)
PRESET = Preset(name="web", width=1600, watermark=MARK)
RECIPE = Recipe(presets=(PRESET,))

OTHER_RECIPE: dict[str, Any] = {
    "presets": (PRESET, Preset(name="thumb")),
    "metadata": "none",
    "limits": Limits(max_side=9),
}
OTHER_LIMITS: dict[str, Any] = dict.fromkeys(Limits.__struct_fields__, 9)
OTHER_PRESET: dict[str, Any] = {
    "name": "wep",
    "fit": Fit.COVER,
    "width": 1601,
    "height": 1600,
    "gravity": Gravity.NORTH,
    "enlarge": True,
    "background": "#fffffe",
    "format": "webp",
    "quality": 82,
    "lossless": True,
    "sharpen": 0.1,
    "animation": "first",
    "max_bytes": "source",
    "watermark": None,
}
OTHER_MARK: dict[str, Any] = {
    "text": "PROOFS",
    "image": Asset("logo.png", b""),
    "gravity": Gravity.TILE,
    "size": 0.06,
    "margin": 0.0,
    "opacity": 0.5,
    "rotation": 30.0,
    "color": "#000000",
    "contrast": "auto",
    "font": Asset("font.ttf", b"another font"),
    "min_size": 11,
}


def other_recipes() -> list[Any]:
    """The recipe with each of its settings changed in turn."""
    limits, mark = RECIPE.limits, MARK
    others = [pytest.param(replace(RECIPE, **{k: v}), id=k) for k, v in OTHER_RECIPE.items()]
    others += [pytest.param(replace(RECIPE, limits=replace(limits, **{k: v})), id=k) for k, v in OTHER_LIMITS.items()]
    others += [
        pytest.param(replace(RECIPE, presets=(replace(PRESET, **{k: v}),)), id=k) for k, v in OTHER_PRESET.items()
    ]
    others += [
        pytest.param(
            replace(RECIPE, presets=(replace(PRESET, watermark=replace(mark, **{k: v})),)), id=f"watermark.{k}"
        )
        for k, v in OTHER_MARK.items()
    ]
    return others


@pytest.mark.parametrize("other", other_recipes())
def test_every_setting_counts_in_the_hash(other: Recipe) -> None:
    assert other.hash != RECIPE.hash


@pytest.mark.parametrize(
    ("kind", "others"),
    [(Recipe, OTHER_RECIPE), (Limits, OTHER_LIMITS), (Preset, OTHER_PRESET), (Watermark, OTHER_MARK)],
)
def test_no_setting_is_left_out_of_the_test_above(kind: type[msgspec.Struct], others: dict[str, Any]) -> None:
    assert set(others) == set(kind.__struct_fields__)


def test_the_bytes_of_an_image_count_and_its_name_does_not() -> None:
    def recipe(image: Asset) -> Recipe:
        return Recipe(presets=(Preset(name="a", watermark=Watermark(image=image, font=FONT)),))

    assert recipe(Asset("a.png", b"1")).hash == recipe(Asset("b/c.png", b"1")).hash
    assert recipe(Asset("a.png", b"1")).hash != recipe(Asset("a.png", b"2")).hash


def test_the_order_of_presets_does_not_count() -> None:
    a, b = Preset(name="a", width=1), Preset(name="b", width=2)
    assert Recipe(presets=(a, b)).hash == Recipe(presets=(b, a)).hash
    assert Recipe(presets=(replace(a, width=2), replace(b, width=1))).hash != Recipe(presets=(a, b)).hash


def test_the_hash_is_the_same_in_every_process() -> None:
    program = "from imgpipe.core import recipe_file; print(recipe_file.load(None).hash)"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 16
