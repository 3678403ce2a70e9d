"""What may be uploaded, and where to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import RECIPES

from imgpipe.core.recipe import Limits
from imgpipe.worker.keys import LONGEST, candidates
from imgpipe.worker.problems import Problem
from imgpipe.worker.uploads import Upload, check, new_key, read


@given(st.text(min_size=1, max_size=1024))
def test_no_name_leads_elsewhere(name: str) -> None:
    key = new_key(name)
    folder, slash, last = key.partition("/")
    assert re.fullmatch("[0-9a-f]{32}", folder)
    assert slash == "/"
    assert re.fullmatch(r"[\w.-]+", last)
    assert not last.startswith(".")
    assert len(key.encode()) < LONGEST / 2
    assert len(candidates(RECIPES[0], key)) == 6


def test_two_of_one_name_have_two_keys() -> None:
    assert new_key("cat.jpg") != new_key("cat.jpg")


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\My cat (1).JPG", "My-cat-1-.JPG"),
        ("\u041a\u043e\u0442 \u00e9.png", "\u041a\u043e\u0442-\u00e9.png"),
        ("${filename}", "filename-"),
        ("..", "image"),
        ("a/", "image"),
        ("x" * 200 + ".jpg", "x" * 96 + ".jpg"),
    ],
)
def test_a_name_stays_readable(name: str, last: str) -> None:
    assert new_key(name).partition("/")[2] == last


@pytest.mark.parametrize(
    "media_type", ["image/svg+xml", "text/html", "application/pdf", "image/jpeg; a=b", "IMAGE/JPEG", "image/*", ""]
)
def test_only_images_that_are_opened_are_taken(media_type: str) -> None:
    with pytest.raises(Problem) as caught:
        check(Upload("a.jpg", media_type, 1), Limits())
    assert (caught.value.status, caught.value.document["code"]) == (415, "unsupported_format")


def test_the_recipes_limit_is_the_uploads() -> None:
    limits = Limits(max_megabytes=0.001)
    check(Upload("a.heic", "image/heic", 1000), limits)
    for size, status, code in ((1001, 413, "too_many_bytes"), (0, 400, "empty")):
        with pytest.raises(Problem) as caught:
            check(Upload("a.heic", "image/heic", size), limits)
        assert (caught.value.status, caught.value.document["code"]) == (status, code)


def test_nothing_is_offered_that_s3_takes_no_post_of() -> None:
    check(Upload("a.tif", "image/tiff", 5 * 2**30), Limits(max_megabytes=1e6))
    with pytest.raises(Problem, match="limit is 5,368,709,120"):
        check(Upload("a.tif", "image/tiff", 5 * 2**30 + 1), Limits(max_megabytes=1e6))


def test_what_is_refused_is_told_in_bytes_and_plain_words() -> None:
    with pytest.raises(Problem) as caught:
        check(Upload("a.jpg", "image/jpeg", 10**15), Limits(max_megabytes=60))
    detail = "The file has 1,000,000,000,000,000 bytes; the limit is 60,000,000."
    assert caught.value.document["detail"] == detail
    with pytest.raises(Problem) as caught:
        check(Upload("a.jpg", "image/jpeg", 1, "abc"), Limits())
    assert caught.value.document["detail"] == "The checksum 'abc' is no SHA-256."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"size": -1', "The size -1 is no whole number of bytes."),
        ('"size": "1"', "The size '1' is no whole number of bytes."),
        ('"name": ""', "The name '' is no name of 1 to 1024 characters."),
        ('"content_type": null', "The content_type None is no media type."),
        ('"checksum": [1]', "The checksum [1] is no SHA-256."),
        ('"key": "a"', "The body cannot be read: Object contains unknown field `key`."),
    ],
)
def test_what_is_wrong_with_a_field_is_said_in_words_with_the_value_seen(change: str, message: str) -> None:
    body = f'{{"name": "a.jpg", "content_type": "image/jpeg", "size": 1, {change}}}'
    with pytest.raises(Problem) as refused:
        read(body.encode())
    assert str(refused.value.document["detail"]).startswith(message)
