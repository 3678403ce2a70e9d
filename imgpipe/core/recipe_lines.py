"""The line of each key in a TOML document, which `tomllib` does not tell.

The document is cut into its statements, each the fewest lines that parse alone, so that no rule of TOML is written here
again. Needed only once there is a problem.
"""

import tomllib
from collections.abc import Iterator

from imgpipe.core.recipe_setting import Place, Table

_DEEPEST = 4
"""Keys to the innermost setting, presets.web.watermark.text."""


def lines(text: str) -> dict[Place, int]:
    """The line, from 1, where each key or table of `text`, a valid document, first stands."""
    found: dict[Place, int] = {}
    header: Place = ()
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            places = list(_places(tomllib.loads(statement), ()))
        except ValueError:
            continue
        if statement.lstrip().startswith("["):
            header = max(places, key=len)
        else:
            places = [header + place for place in places]
        for place in places:
            found.setdefault(place, first)
        statement, first = "", number + 1
    return found


def _places(table: Table, above: Place) -> Iterator[Place]:
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict) and len(above) + 1 < _DEEPEST:
            yield from _places(value, (*above, key))
