"""What a person does on the page, done in a real browser."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from browser_case import card, drop, photo, put
from page_case import Paged
from playwright.sync_api import expect

from imgpipe.worker.ports import rfc3339

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect.set_options(timeout=20_000)


def test_chosen_and_dropped_photos_are_followed_to_their_end(paged: Paged, window: "Page", tmp_path: Path) -> None:
    expect(window.get_by_text("No image yet.")).to_be_visible()
    chosen = photo(tmp_path / "chosen.jpg")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(chosen.read_bytes()[:2000])
    drawing = tmp_path / "drawing.svg"
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with window.expect_file_chooser() as chooser:
        window.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files([chosen, broken, drawing])
    expect(card(window, "chosen.jpg")).to_contain_text("Queued")
    expect(card(window, "drawing.svg")).to_contain_text("Not uploaded")
    expect(card(window, "drawing.svg")).to_contain_text("Convert it to JPEG")
    expect(window.get_by_text("2 images in work")).to_be_visible()

    photo(tmp_path / "folder" / "deep" / "inner.png")
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    drop(window, photo(tmp_path / "dropped.webp"), tmp_path / "folder")
    for name in ("dropped.webp", "inner.png"):
        expect(card(window, name)).to_contain_text("Queued")
    expect(card(window, "notes.txt")).to_have_count(0)

    paged.running.work()
    for name in ("chosen.jpg", "dropped.webp", "inner.png"):
        expect(card(window, name)).to_have_attribute("data-status", "done")
        expect(card(window, name)).to_contain_text("thumb")
        expect(card(window, name).locator("img")).to_have_js_property("naturalWidth", 400)
    expect(card(window, "chosen.jpg")).to_contain_text("640 × 480")
    failed = card(window, "broken.jpg")
    expect(failed).to_contain_text("truncated")
    expect(failed).to_contain_text("Copy or upload the image again: its end is missing.")
    expect(window.get_by_text("in work")).to_be_hidden()
    expect(window.get_by_role("status")).to_contain_text(re.compile("done|images changed"))


def test_an_image_is_compared_linked_reprocessed_and_deleted(paged: Paged, window: "Page", tmp_path: Path) -> None:
    put(paged, "a/sun.jpg", "moon.jpg", folder=tmp_path)
    card(window, "a/sun.jpg").get_by_role("heading").click()
    details = window.get_by_role("dialog", name="a/sun.jpg")
    slider = details.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "50 % before, 50 % after")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0 % before, 100 % after")
    expect(details.get_by_alt_text("Before")).to_have_js_property("naturalWidth", 640)
    details.get_by_role("radio", name="thumb").check()
    expect(details.get_by_role("slider")).to_have_count(0)
    expect(details.get_by_alt_text("After")).to_have_js_property("naturalWidth", 400)

    details.get_by_role("button", name="Copy link to web").click()
    expect(details.get_by_role("button", name="Copy link to web")).to_have_text("Copied")
    link = window.evaluate("navigator.clipboard.readText()")
    stored = paged.running.client("s3").get_object(
        Bucket=paged.running.pipeline.destination_bucket, Key="web/a/sun.jpg"
    )
    assert window.request.get(link).body() == stored["Body"].read()
    details.get_by_text("HTML for your page").click()
    details.get_by_label("Where the renditions are served").fill("https://img.example/")
    assert 'src="https://img.example/thumb/a/sun.jpg"' in (details.locator("#markup code").text_content() or "")

    before = paged.image("a/sun.jpg")["updated"]
    details.get_by_role("button", name="Reprocess").click()
    expect(details.locator(".state")).to_have_text("Queued")
    paged.running.work()
    expect(details.locator(".state")).to_have_text("Done")
    assert paged.image("a/sun.jpg")["updated"] > before

    details.get_by_role("button", name="Delete…").click()
    expect(details.get_by_text("Delete the source and its 2 renditions?")).to_be_visible()
    details.get_by_role("button", name="Keep it").click()
    details.get_by_role("button", name="Delete…").click()
    details.get_by_role("button", name="Delete it").click()
    expect(details).to_be_hidden()
    expect(card(window, "a/sun.jpg")).to_contain_text("Deleting")
    paged.remove("a/sun.jpg")
    expect(card(window, "a/sun.jpg")).to_have_count(0)
    assert paged.image("a/sun.jpg")["status"] == "deleted"
    window.get_by_label("Deleted").check()
    expect(card(window, "a/sun.jpg")).to_be_visible()
    expect(card(window, "moon.jpg")).to_have_count(0)


def test_many_are_paged_filtered_and_found(paged: Paged, window: "Page", tmp_path: Path) -> None:
    put(paged, "holiday/first.jpg", folder=tmp_path)
    paged.running.put("holiday/bad.jpg", b"no image")
    paged.running.work()
    catalog = paged.running.pipeline.catalog
    entry = catalog.get("holiday/first.jpg")
    assert entry
    earlier = time.time() - 10_000
    for number in range(130):
        older = msgspec.structs.replace(entry.record, key=f"many/{number:03}.jpg", updated=rfc3339(earlier + number))
        catalog.put(older, None)
    window.reload()
    expect(window.locator("#count")).to_contain_text("50 images")
    to_the_end = "() => { scrollTo(0, document.body.scrollHeight); return document.querySelector('#more').hidden; }"
    window.wait_for_function(to_the_end)
    expect(window.locator("#count")).to_have_text("132 images")
    assert window.evaluate("new Set([...document.querySelectorAll('.card')].map(card => card.dataset.id)).size") == 132
    # What arrives while somebody looks at what is further down does not push it away.
    put(paged, "holiday/late.jpg", folder=tmp_path)
    window.get_by_role("button", name="Show 1 new image").click()
    expect(window.locator(".card").first).to_contain_text("late.jpg")

    window.get_by_label("Failed", exact=True).check()
    expect(window.locator(".card")).to_have_count(1)
    expect(card(window, "holiday/bad.jpg")).to_contain_text("Convert it to JPEG")
    window.get_by_label("All").check()
    search = window.get_by_label("Find by name")
    search.fill("077")
    expect(window.locator(".card")).to_have_count(1)
    expect(card(window, "many/077.jpg")).to_be_visible()
    search.fill("holiday/")
    expect(window.locator("#count")).to_have_text("3 images")
    window.reload()
    expect(window.locator("#count")).to_have_text("3 images")
    search.fill("nowhere")
    expect(window.get_by_text("No name contains “nowhere”.")).to_be_visible()


def test_the_keyboard_alone_reaches_everything(paged: Paged, window: "Page", tmp_path: Path) -> None:
    put(paged, "one.jpg", "two.jpg", folder=tmp_path)
    expect(window.locator(".card")).to_have_count(2)
    window.locator("#show-recipe").focus()
    window.keyboard.press("Enter")
    expect(window.get_by_role("dialog", name="Recipe")).to_contain_text(paged.running.recipe.hash)
    window.keyboard.press("Escape")
    expect(window.locator("#show-recipe")).to_be_focused()
    passed = []
    for _ in range(6):
        window.keyboard.press("Tab")
        passed.append(window.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label')"))
    assert passed[:2] == ["choose", "choose-folder"]
    assert passed[3:] == ["search", "two.jpg, done", "one.jpg, done"]
    window.keyboard.press("Enter")
    expect(window.get_by_role("dialog", name="one.jpg")).to_be_visible()
    window.keyboard.press("Shift+Tab")
    window.get_by_role("button", name="previous image").focus()
    window.keyboard.press("Enter")
    expect(window.get_by_role("dialog", name="two.jpg")).to_be_visible()
    expect(window.get_by_role("button", name="previous image")).to_be_focused()
    window.keyboard.press("Escape")
    expect(card(window, "two.jpg").get_by_role("button")).to_be_focused()


def test_the_link_opens_the_page_and_leaves_the_address(paged: Paged, window: "Page") -> None:
    address = f"http://127.0.0.1:{paged.dashboard.port}/"
    expect(window.get_by_text("Stack imgpipe, on this machine")).to_be_visible()
    assert window.url == address
    window.reload()
    expect(window.get_by_text("Stack imgpipe, on this machine")).to_be_visible()

    another = window.context.new_page()
    another.goto(address)
    expect(another.get_by_role("alert")).to_contain_text("Open the link that imgpipe printed in the terminal.")
    another.goto(paged.dashboard.url)
    expect(another.get_by_text("Stack imgpipe, on this machine")).to_be_visible()
    assert another.url == address

    paged.dashboard.close()
    expect(another.get_by_role("alert")).to_contain_text("imgpipe does not answer")
