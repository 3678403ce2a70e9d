"""Two sources never share a rendition key, and the key says which source and format it is of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgpipe.core.recipe import WRITTEN, Format, Preset, Recipe
from imgpipe.errors import ImageError
from imgpipe.worker.keys import LONGEST, candidates, collisions, folded, rendition_key

PIECES = (".", "/", "a", "A", "jpg", "JPG", "jpeg", "jpe", "jfif", "png", "PnG", "webp", "avif", "gif", "heic", "tif")
"""Short enough for collisions to be met, were there any."""
KEYS = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join),
    st.builds(
        lambda stem, ends: ".".join((stem, *ends)),
        st.sampled_from(("", "a", "a/", "a.jpg/b", "é", "e\u0301", "ß", "a.b")),
        st.lists(st.sampled_from(("jpg", "JPEG", "png", "webp", "txt", "", "jﬁf", "jfif")), max_size=4),
    ),
)
FORMATS = st.sampled_from(WRITTEN)
PRESETS = st.sampled_from(("web", "thumb", "web-2x"))


@pytest.mark.parametrize(
    ("preset", "key", "format", "expected"),
    [
        ("web", "a/cat.jpg", Format.JPEG, "web/a/cat.jpg"),
        ("thumb", "a/cat.jpg", Format.WEBP, "thumb/a/cat.jpg.webp"),
        ("web", "IMG_1.HEIC", Format.JPEG, "web/IMG_1.HEIC.jpg"),
        ("web", "photo", Format.JPEG, "web/photo.jpg.jpg"),
        ("web", "cat.png.jpg", Format.JPEG, "web/cat.png.jpg.jpg"),
        ("web", "CAT.JPEG", Format.JPEG, "web/CAT.JPEG"),
        ("web", ".jpg", Format.JPEG, "web/.jpg"),
        ("web", "a.jpg/", Format.JPEG, "web/a.jpg/.jpg.jpg"),
        ("web", "notes.v2.txt", Format.PNG, "web/notes.v2.txt.png.png"),
    ],
)
def test_the_key_follows_the_rule(preset: str, key: str, format: Format, expected: str) -> None:
    assert rendition_key(preset, key, format) == expected


@settings(max_examples=1000, deadline=None)
@given(PRESETS, KEYS, FORMATS, PRESETS, KEYS, FORMATS)
def test_no_two_sources_share_a_rendition_key(p1: str, k1: str, f1: Format, p2: str, k2: str, f2: Format) -> None:
    if (p1, k1) != (p2, k2):
        assert rendition_key(p1, k1, f1) != rendition_key(p2, k2, f2)


def test_no_two_of_all_short_keys_share_a_rendition_key() -> None:
    ends = ("", ".jpg", ".JPG", ".jpeg", ".png", ".webp", ".txt", ".", "/")
    keys = {stem + a + b + c for stem in ("", "x", "x/y") for a in ends for b in ends for c in ends} - {""}
    made: dict[str, str] = {}
    for key in keys:
        for format in WRITTEN:
            assert made.setdefault(rendition_key("web", key, format), key) == key


@given(KEYS, FORMATS)
def test_the_last_extension_names_the_format(key: str, format: Format) -> None:
    names = {Format.JPEG: ("jpg", "jpeg", "jpe", "jfif")}.get(format, (format.value,))
    assert folded(rendition_key("web", key, format)).endswith(tuple(f".{name}" for name in names))


@settings(max_examples=300, deadline=None)
@given(KEYS, FORMATS)
def test_the_rule_commutes_with_a_file_system_that_folds_case(key: str, format: Format) -> None:
    assert folded(rendition_key("web", key, format)) == rendition_key("web", folded(key), format)


@given(KEYS, FORMATS)
def test_a_claim_names_every_key_that_can_be_written(key: str, format: Format) -> None:
    recipe = Recipe(presets=(Preset(name="web"), Preset(name="fixed", format="webp")))
    named = candidates(recipe, key)
    assert rendition_key("web", key, format) in named
    assert rendition_key("fixed", key, Format.WEBP) in named
    assert len(named) == len(set(named)) == len(WRITTEN) + 1


def test_a_key_may_be_as_long_as_the_store_allows_and_no_longer() -> None:
    fits = "é" * ((LONGEST - len("web/aa.jpg")) // 2) + "aa.jpg"
    assert len(rendition_key("web", fits, Format.JPEG).encode()) == LONGEST
    with pytest.raises(ImageError, match="1029 bytes long") as caught:
        rendition_key("web", fits, Format.WEBP)
    assert caught.value.code == "key_too_long"
    recipe = Recipe(presets=(Preset(name="web"),))
    assert candidates(recipe, fits) == (f"web/{fits}",)


def test_a_name_that_is_no_text_is_a_bad_key() -> None:
    with pytest.raises(ImageError) as caught:
        rendition_key("web", "caf\udce9.jpg", Format.JPEG)
    assert caught.value.code == "bad_key"


def test_keys_that_a_file_system_folds_together_are_found() -> None:
    keys = ["a/Cat.jpg", "a/cat.jpg", "b/cat.jpg", "é.png", "e\u0301.png"]
    assert list(collisions(keys, folding=True)) == [("a/Cat.jpg", "a/cat.jpg"), ("é.png", "e\u0301.png")]
    assert list(collisions(keys, folding=False)) == []


@pytest.mark.parametrize("folding", [False, True])
def test_a_rendition_that_needs_the_name_of_a_folder_is_found(folding: bool) -> None:
    assert list(collisions(["photo", "photo.jpg.jpg/1.png"], folding=folding)) == [("photo", "photo.jpg.jpg/1.png")]
    assert list(collisions(["a.heic", "a.heic.webp/b/1.png"], folding=folding)) == [("a.heic", "a.heic.webp/b/1.png")]
    assert list(collisions(["photo", "photo.jpg/1.png", "x.jpg/1.png"], folding=folding)) == []
    assert list(collisions(["x" * 2000 + ".jpg/1.png"], folding=folding)) == []
