"""The contact sheet shows every record once, in safe and working HTML, page by page."""

from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.core.recipe import Preset, Recipe
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.local import contact_sheet
from imgpipe.local.contact_sheet_html import change, link, size
from imgpipe.worker.ports import Failure, Record, Rendition

RECIPE = Recipe(presets=(Preset(name="web", width=1600), Preset(name="thumb", width=400)))

NASTY = [
    "100% sure #1?.jpg",
    "a/<script>alert(1)</script>.jpg",
    "q\"uo'tes & <b>.jpg",
    "with  spaces\n and a line.jpg",
    "Zoë/日本/צהוב.jpg",
    "%2e%2e/colon: semi;.jpg",
    "javascript:alert(1).jpg",
]


class Page(HTMLParser):
    """What a page says: each element with its attributes, and each article's text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.articles: list[str] = []
        self.headings: list[str] = []
        self.inside: list[str] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))
        self.close()
        assert self.inside == [], "unclosed elements"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.inside.append(tag)
        if tag == "article":
            self.articles.append("")
        if tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.inside else ""
        if "article" in self.inside:
            self.articles[-1] += data
            if "h2" in self.inside:
                self.headings[-1] += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [value for name, attrs in self.elements if name == tag and (value := attrs.get(attribute))]


def done(key: str, **changes: object) -> Record:
    renditions = tuple(
        Rendition(
            preset=preset, key=f"{preset}/{key}", width=side, height=side, bytes=count, format="jpeg", watermark=mark
        )
        for preset, side, count, mark in (("web", 1600, 250_000, True), ("thumb", 400, 20_000, False))
    )
    facts = {"bytes": 1_000_000, "width": 4000, "height": 3000, "format": "jpeg", "renditions": renditions, **changes}
    return Record(key=key, status="done", recipe=RECIPE.hash, updated="2026-11-22T10:00:00.000Z", **facts)  # type: ignore[arg-type]


def failed(key: str, code: str = "truncated", message: str = "It ends too soon.") -> Record:
    return Record(key=key, status="failed", bytes=7, error=Failure(code, message), updated="2026-11-22T11:30:00.000Z")


def sheet(out: Path, records: Iterable[Record]) -> list[Page]:
    contact_sheet.write(out, records, recipe=RECIPE)
    count = len(list(out.glob("index*.html")))
    return [Page(out / contact_sheet.address(number)) for number in range(1, count + 1)]


def targets(out: Path, page: Page) -> Iterator[tuple[Path, str]]:
    """The file and the fragment that each link and picture of a page of `out` leads to, as a browser reads it."""
    for address in page.all("a", "href") + page.all("img", "src"):
        parts = urlsplit(address)
        assert not parts.scheme
        assert not parts.netloc
        assert not parts.query
        yield out / unquote(parts.path), parts.fragment


def test_every_settled_record_is_shown_once_and_in_order(tmp_path: Path) -> None:
    records = [done("a.jpg"), failed("b.jpg"), done("c/d.jpg")]
    unsettled = [Record(key=status, status=status, updated="") for status in ("processing", "deleted")]
    (page,) = sheet(tmp_path, [*records, *unsettled])
    assert page.headings[-3:] == ["a.jpg", "b.jpg", "c/d.jpg"]
    assert len(page.articles) == 3


def test_links_lead_to_files_whatever_their_names(tmp_path: Path) -> None:
    records = [done(key) for key in NASTY]
    for record in records:
        for rendition in record.renditions:
            file = tmp_path / rendition.key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    (page,) = sheet(tmp_path, records)
    found = {path for path, _ in targets(tmp_path, page)}
    assert found == {tmp_path / rendition.key for record in records for rendition in record.renditions}
    assert all(path.is_file() for path in found)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_link_holds_nothing_but_the_key(key: str) -> None:
    parts = urlsplit("web/" + link(key))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path) == f"web/{key}"


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [*(done(key) for key in NASTY), failed("<i>.jpg", message="<script>no</script>")])
    assert page.headings[-len(NASTY) - 1 :] == [*NASTY, "<i>.jpg"]
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "b", "i", "link", "iframe"})
    assert page.all("img", "alt") == NASTY


def test_names_that_are_not_unicode_do_no_harm(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [failed("caf\udce9.jpg", "bad_key", "The name is not valid UTF-8.")])
    assert page.headings[-1] == r"caf\udce9.jpg"


def test_nothing_runs_and_nothing_is_fetched(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [done("a.jpg")])
    html = (tmp_path / "index.html").read_text()
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    (policy,) = [content for content in page.all("meta", "content") if "default-src" in content]
    assert policy.startswith("default-src 'none'; img-src 'self' file:;")


def test_pictures_load_lazily_and_nothing_jumps(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [done("a.jpg")])
    (picture,) = [attrs for tag, attrs in page.elements if tag == "img"]
    assert (picture["src"], picture["width"], picture["height"]) == ("thumb/a.jpg", "400", "400")
    assert (picture["loading"], picture["decoding"]) == ("lazy", "async")
    assert page.all("a", "href")[0] == "web/a.jpg", "the picture leads to the largest rendition"


def test_a_card_tells_sizes_savings_and_notes(tmp_path: Path) -> None:
    small = Rendition(
        preset="icon", key="icon/a.png", width=16, height=12, bytes=1_500_000, format="png", watermark=False,
        notes=("watermark_too_small", "over_max_bytes"),
    )  # fmt: skip
    (page,) = sheet(tmp_path, [done("a.jpg", renditions=(*done("a.jpg").renditions, small))])
    (card,) = page.articles
    assert "4,000 × 3,000 · JPEG · 1.0 MB" in card
    assert "web250 kB −75%1,600 × 1,600 · JPEG · watermark" in card
    assert "icon1.5 MB +50%16 × 12 · PNG · too small for the watermark · larger than max_bytes allows" in card


def test_a_rendition_of_another_recipe_is_told(tmp_path: Path) -> None:
    stale = Record(key="b.jpg", status="done", recipe="0123456789abcdef", updated="")
    (page,) = sheet(tmp_path, [done("a.jpg"), stale])
    assert ["0123456789abcdef" in card for card in page.articles] == [False, True]


def test_failures_are_counted_above_and_explained_in_place(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [done("a.jpg"), failed("b.jpg"), failed("c.jpg", "empty", "It is empty.")])
    assert "2 images failed" in page.text
    assert "It ends too soon." in page.articles[1]
    assert IMAGE_ERRORS["truncated"] in page.articles[1]
    anchors = [attrs["id"] for tag, attrs in page.elements if tag == "article"]
    assert [fragment for _, fragment in targets(tmp_path, page) if fragment] == anchors[1:]


def test_totals_come_first(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [done("a.jpg"), failed("b.jpg"), done("c.jpg")])
    assert "images3failed1renditions4in sources2.0 MBin renditions540 kB (−73%)" in page.text
    assert RECIPE.hash in page.text
    assert "2026-11-22 11:30 UTC" in page.text


def test_nothing_at_all_is_said_plainly(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path / "new", [])
    assert "No images yet." in page.text
    assert page.articles == []


def test_pages_link_to_each_other_and_failures_across_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_sheet, "PAGE", 3)
    pages = sheet(tmp_path, [*(done(f"{number}.jpg") for number in range(7)), failed("z.jpg")])
    assert [len(page.articles) for page in pages] == [3, 3, 2]
    names = ["index.html", "index-2.html", "index-3.html"]
    for page in pages:
        assert [address for address in page.all("a", "href") if address in names] == names * 2
    ids = {(name, anchor) for name, page in zip(names, pages, strict=True) for anchor in page.all("article", "id")}
    assert len(ids) == 8
    assert [(path.name, anchor) for path, anchor in targets(tmp_path, pages[0]) if anchor] == [("index-3.html", "s8")]
    assert "1 image failed" not in pages[1].text


def test_many_failures_stay_readable(tmp_path: Path) -> None:
    (page,) = sheet(tmp_path, [failed(f"{number:03}.jpg") for number in range(60)])
    assert "and 10 more" in page.text
    assert len([fragment for _, fragment in targets(tmp_path, page) if fragment]) == 50


def test_pages_of_a_longer_sheet_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_sheet, "PAGE", 1)
    sheet(tmp_path, [done(f"{number}.jpg") for number in range(12)])
    (tmp_path / "index-old.html").write_text("mine")
    contact_sheet.write(tmp_path, [done("a.jpg"), done("b.jpg")], recipe=RECIPE)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "index-2.html", "index-old.html"}


def test_pages_that_a_person_made_stay(tmp_path: Path) -> None:
    for name in ("index-2.html", "index-3.html"):
        (tmp_path / name).write_text("<!doctype html>\n<title>Mine</title>")
    contact_sheet.write(tmp_path, [done("a.jpg")], recipe=RECIPE)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "index-2.html", "index-3.html"}


def test_a_sheet_that_cannot_be_written_is_told_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "index.html/occupied").mkdir(parents=True)
    with pytest.raises(OSError) as told:
        contact_sheet.write(tmp_path, [done("a.jpg")], recipe=RECIPE)
    assert (told.value.filename, told.value.filename2) == (str(tmp_path / "index.html"), None)


def test_a_failed_write_leaves_the_earlier_sheet_whole(tmp_path: Path) -> None:
    sheet(tmp_path, [done("a.jpg")])
    before = (tmp_path / "index.html").read_bytes()

    def broken() -> Iterator[Record]:
        yield done("b.jpg")
        raise OSError("the catalog cannot be read")

    with pytest.raises(OSError, match="cannot be read"):
        contact_sheet.write(tmp_path, broken(), recipe=RECIPE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == {"index.html": before}


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (9_940, "9.9 kB"), (9_960, "10 kB"), (999_400, "999 kB"),
     (999_600, "1.0 MB"), (2_005_354, "2.0 MB"), (12_345_678_901, "12 GB"), (5_000_000_000_000_000, "5,000 TB")],
)  # fmt: skip
def test_bytes_are_told_in_words(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [(1000, 250, "−75%"), (1000, 1200, "+20%"), (1000, 1000, "±0%"), (1000, 1004, "±0%"), (1_000_000, 1, "−99.9%"),
     (1000, 8, "−99.2%"), (1000, 20_000, "+1,900%"), (0, 10, "±0%")],
)  # fmt: skip
def test_growth_is_told_as_honestly_as_savings(before: int, after: int, words: str) -> None:
    assert words in change(before, after)
