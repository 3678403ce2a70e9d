"""The contact sheet: `index.html`, and `index-2.html` and so on, which show what became of every source in OUT.

It works from disk, without a script and without a network. Records stream into cards; only the totals, on the first
page, wait for the end, so until then the cards of each page lie in a temporary file.
"""

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

from imgpipe.core.recipe import Recipe
from imgpipe.errors import naming
from imgpipe.local.contact_sheet_html import HEAD, Totals, card, page
from imgpipe.local.folders import SHEET, STAGING
from imgpipe.worker.ports import Record

PAGE = 1000
"""Cards on one page: what a browser shows at once without effort."""


def write(out: Path, records: Iterable[Record], *, recipe: Recipe) -> None:
    """Write the contact sheet of `records` into `out`, the folder that their renditions lie in.

    Records that are neither done nor failed are passed over; the others keep their order. Each page appears whole,
    `index.html` last, and further pages of an earlier, longer sheet are removed. Raises OSError as files do, which
    names the page that could not be written.
    """
    staging = out / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=staging, prefix="sheet-") as room:
        parts, totals = draw(Path(room), records, recipe)
        addresses = [address(number) for number in range(1, len(parts) + 1)]
        for number, part in reversed(list(enumerate(parts, 1))):
            whole = part.with_suffix(".html")
            with naming(out / address(number)):
                with part.open(encoding="utf-8") as cards, whole.open("w", encoding="utf-8") as file:
                    file.writelines(page(cards, number, addresses, totals, recipe))
                whole.replace(out / address(number))
    remove_pages(out, len(parts) + 1)
    with suppress(OSError):
        staging.rmdir()


def draw(room: Path, records: Iterable[Record], recipe: Recipe) -> tuple[list[Path], Totals]:
    """Draw the cards into files in `room`, one for each page and at least one, and sum them up."""
    totals = Totals()
    parts: list[Path] = []
    settled = (record for record in records if record.status in ("done", "failed"))
    while (batch := list(islice(settled, PAGE))) or not parts:
        parts.append(room / str(len(parts) + 1))
        with parts[-1].open("w", encoding="utf-8") as file:
            for record in batch:
                totals.add(record, f"{address(len(parts))}#s{totals.images + 1}")
                file.write(card(record, totals.images, recipe.hash))
    return parts, totals


def address(number: int) -> str:
    """Page `number`, from 1, as a file name and as a link between pages."""
    return SHEET if number == 1 else SHEET.replace(".", f"-{number}.")


def remove_pages(out: Path, first: int) -> None:
    """Remove page `first` and those that follow it, the last one first, so that no gap hides any after a crash."""
    end = next(number for number in count(first) if not _is_page(out / address(number)))
    for number in reversed(range(first, end)):
        (out / address(number)).unlink()


def _is_page(path: Path) -> bool:
    """Whether a contact sheet lies at `path`, and not a person's own file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(HEAD)) == HEAD
    except (FileNotFoundError, IsADirectoryError):
        return False
