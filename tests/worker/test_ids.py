"""Every key has one id, and every id one key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.worker.ids import to_id, to_key


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_a_key_comes_back_from_its_id_which_is_one_segment_of_a_path(key: str) -> None:
    assert to_key(to_id(key)) == key
    assert set(to_id(key)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(max_size=12))
def test_what_is_no_id_is_refused(text: str) -> None:
    try:
        key = to_key(text)
    except ValueError:
        return
    assert to_id(key) == text


@pytest.mark.parametrize("text", ["", "YQ==", "YR", "Y", "a/b", "a+b", "_w", "\u00e9", to_id("k" * 1025)])
def test_neither_padding_nor_spare_bits_nor_other_bytes_make_a_second_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a key"):
        to_key(text)
