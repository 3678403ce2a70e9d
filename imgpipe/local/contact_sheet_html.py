"""The contact sheet's HTML: cards, totals and pages as text.

A key may hold any character, so whatever comes from a record passes `text` or `link` on its way into the page.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from urllib.parse import quote

from imgpipe.core.recipe import Recipe
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.worker.ports import Failure, Record, Rendition

SHARP = 400
"""Pixels that the longer side of a card's picture should have to look sharp in its frame."""

LISTED = 50
"""Failures that the first page names; every one is marked in its place."""

NOTES = {
    "watermark_too_small": "too small for the watermark",
    "over_max_bytes": "larger than max_bytes allows",
}

POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

HEAD = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="imgpipe">'
"""How every page begins, which tells it from a person's own."""


@dataclass
class Totals:
    """What all pages together show, as it adds up."""

    images: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    renditions: int = 0
    updated: str = ""
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, record: Record, address: str) -> None:
        self.images += 1
        self.updated = max(self.updated, record.updated)
        if record.error:
            self.failed += 1
            if len(self.failures) < LISTED:
                self.failures.append((address, record.key, record.error.message))
            return
        self.bytes_in += record.bytes or 0
        self.bytes_out += sum(rendition.bytes for rendition in record.renditions)
        self.renditions += len(record.renditions)


def text(value: str) -> str:
    """`value` for the text of an element or for a quoted attribute; what is not Unicode is shown escaped."""
    return escape(value.encode("utf-8", "backslashreplace").decode())


def link(key: str) -> str:
    """`key` as a relative address."""
    return quote(key, safe="/", errors="surrogateescape")


def size(count: int) -> str:
    """A number of bytes in words: `87 bytes`, `8.3 kB`, `412 kB`, `1.2 MB`."""
    if count < 1000:
        return f"{count} bytes"
    value, unit = count / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if value >= 999.5:
            value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def change(before: int, after: int) -> str:
    """How `after` differs from `before`, in per cent; never 100 less where anything is left."""
    share = 100 * (after / before - 1) if before else 0
    if share < -99:
        return f'<span class="less">−{min(-share, 99.9):.1f}%</span>'
    if round(share) == 0:
        return '<span class="same">±0%</span>'
    return f'<span class="less">−{-share:.0f}%</span>' if share < 0 else f'<span class="more">+{share:,.0f}%</span>'


def name(key: str) -> str:
    folder, slash, file = key.rpartition("/")
    return f"<bdi><span>{text(folder + slash)}</span>{text(file)}</bdi>"


def card(record: Record, number: int, recipe: str) -> str:
    """One source, done or failed, as an article that `#s<number>` leads to."""
    lines = "".join(line(rendition, record.bytes or 0) for rendition in record.renditions)
    facts = [
        f"{record.width:,} × {record.height:,}" if record.width and record.height else "",
        record.format.upper() if record.format else "",
        size(record.bytes) if record.bytes is not None else "",
        f"made by recipe <code>{text(record.recipe)}</code>" if record.recipe and record.recipe != recipe else "",
    ]
    return (
        f'<article id="s{number}">{failure(record.error) if record.error else frame(record)}'
        f'<div class="text"><h2>{name(record.key)}</h2>'
        f'<p class="facts">{" · ".join(filter(None, facts))}</p>{lines and f"<ul>{lines}</ul>"}</div></article>\n'
    )


def frame(record: Record) -> str:
    """The smallest rendition that looks sharp, as a link to the largest one."""
    by_area = sorted(record.renditions, key=lambda rendition: rendition.width * rendition.height)
    if not by_area:
        return ""
    shown = next((rendition for rendition in by_area if max(rendition.width, rendition.height) >= SHARP), by_area[-1])
    return (
        f'<a class="frame" href="{link(by_area[-1].key)}"><img src="{link(shown.key)}" alt="{text(record.key)}" '
        f'width="{shown.width}" height="{shown.height}" loading="lazy" decoding="async"></a>'
    )


def failure(error: Failure) -> str:
    return (
        f'<div class="reason"><strong>Failed: {text(error.code.replace("_", " "))}</strong>'
        f"<p>{text(error.message)}</p><p>{text(IMAGE_ERRORS.get(error.code, ''))}</p></div>"
    )


def line(rendition: Rendition, source: int) -> str:
    """One rendition, held against the `source`'s bytes."""
    facts = [f"{rendition.width:,} × {rendition.height:,}", text(rendition.format.upper())]
    if rendition.watermark:
        facts.append("watermark")
    facts += [f'<span class="note">{text(NOTES.get(note, note))}</span>' for note in rendition.notes or ()]
    return (
        f'<li><a href="{link(rendition.key)}">{text(rendition.preset)}</a>'
        f"<span>{size(rendition.bytes)} {change(source, rendition.bytes)}</span><small>{' · '.join(facts)}</small></li>"
    )


def page(cards: Iterable[str], number: int, addresses: Sequence[str], totals: Totals, recipe: Recipe) -> Iterator[str]:
    """The pieces of page `number` (from 1) of the pages at `addresses`; the first one has the totals."""
    css = files("imgpipe.local").joinpath("contact_sheet.css").read_text("utf-8")
    title = "Contact sheet" if number == 1 else f"Contact sheet, page {number}"
    yield (
        f'{HEAD}<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>\n<style>\n{css}</style></head>\n<body><header><h1>{title}</h1>"
    )
    yield summary(totals, recipe) if number == 1 else ""
    yield f"{pages(number, addresses, 'Pages')}</header>\n<main>\n"
    yield from cards
    yield f"</main>{pages(number, addresses, 'Pages, again')}\n<footer>Made by imgpipe.</footer></body></html>\n"


def summary(totals: Totals, recipe: Recipe) -> str:
    if not totals.images:
        return "<p>No images yet.</p>"
    facts = {
        "images": f"{totals.images:,}",
        "failed": f"{totals.failed:,}" if totals.failed else "",
        "renditions": f"{totals.renditions:,}",
        "in sources": size(totals.bytes_in),
        "in renditions": f"{size(totals.bytes_out)} ({change(totals.bytes_in, totals.bytes_out)})",
    }
    shown = "".join(f"<div><dt>{word}</dt><dd>{fact}</dd></div>" for word, fact in facts.items() if fact)
    presets = ", ".join(text(preset.name) for preset in recipe.presets)
    return (
        f"<p>Presets {presets}. Recipe <code>{recipe.hash}</code>. Last change {when(totals.updated)}.</p>"
        f'<dl class="totals">{shown}</dl>{failures(totals)}'
    )


def when(updated: str) -> str:
    return f'<time datetime="{text(updated)}">{text(updated[:16].replace("T", " "))} UTC</time>'


def failures(totals: Totals) -> str:
    if not totals.failed:
        return ""
    items = "".join(
        f'<li><a href="{address}"><bdi>{text(key)}</bdi></a> <span>{text(message)}</span></li>'
        for address, key, message in totals.failures
    )
    more = totals.failed - len(totals.failures)
    rest = f"<li><span>and {more:,} more, each marked in its place</span></li>" if more else ""
    count = "1 image failed" if totals.failed == 1 else f"{totals.failed:,} images failed"
    return (
        f'<section class="failures" aria-labelledby="failures"><h2 id="failures">{count}</h2>'
        f"<ul>{items}{rest}</ul></section>"
    )


def pages(number: int, addresses: Sequence[str], label: str) -> str:
    if len(addresses) == 1:
        return ""
    items = "".join(
        f'<li><a href="{address}"{" aria-current=page" if place == number else ""}>{place}</a></li>'
        for place, address in enumerate(addresses, 1)
    )
    return f'<nav aria-label="{label}"><ul>{items}</ul></nav>'
