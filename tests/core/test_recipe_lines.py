import tomllib
from itertools import accumulate
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from imgpipe.core.recipe_lines import lines

VALUES = [
    "1",
    '"one"',
    '"""\none\n\n# not a comment\ntwo"""',
    "'''\n[x]\ny = 1'''",
    "[\n  1, # one\n\n  2,\n]",
    "{ y = { z = 1 } }",
]
GAPS = ["", "\n", "# a comment\n", "   \n\n", "# [presets.x]\n"]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML in which values span lines, keys have dots, and tables come in any order."""
    headers = draw(st.lists(st.sampled_from(["a", "b", "a.b", "b.c", '"x y"', "c.d.e"]), unique=True, max_size=4))
    text = ""
    for header in ["", *headers]:
        text += draw(st.sampled_from(GAPS)) + (f"  [{header}] # here\n" if header else "")
        for key in draw(st.lists(st.sampled_from(["k", "l", "m.n", "m.o", '"q.r"']), unique=True, max_size=4)):
            text += draw(st.sampled_from(GAPS)) + f"{key} = {draw(st.sampled_from(VALUES))}\n"
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def keys(table: dict[str, Any], above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    inner = [keys(value, (*above, key)) for key, value in table.items() if isinstance(value, dict)]
    return {(*above, key) for key in table}.union(*inner)


@given(documents())
def test_a_key_stands_where_the_text_so_far_first_has_it(text: str) -> None:
    expected: dict[tuple[str, ...], int] = {}
    without = 0
    for number, start in enumerate(accumulate(text.splitlines(keepends=True)), 1):
        try:
            known = keys(tomllib.loads(start))
        except tomllib.TOMLDecodeError:
            continue
        for place in known - expected.keys():
            expected[place] = without + 1
        without = number
    assert lines(text) == expected
