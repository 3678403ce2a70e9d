"""What the page does when something is in the way: outages, lost and cut answers, refusals, and other hands."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser_case import card, drop, photo, put
from page_case import Paged
from playwright.sync_api import expect

from imgpipe.local.dashboard.server import Dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

expect.set_options(timeout=20_000)
PROBLEM = {"code": "denied", "detail": "AWS refused s3:DeleteObject.", "remedy": "Have it allowed."}


def refuse(route: "Route") -> None:
    route.fulfill(status=502, content_type="application/problem+json", body=json.dumps(PROBLEM))


def stored(paged: Paged) -> int:
    listed = paged.running.client("s3").list_objects_v2(Bucket=paged.running.pipeline.source_bucket)
    return int(listed["KeyCount"])


def test_uploads_wait_for_the_end_of_an_outage_or_are_stopped(paged: Paged, window: "Page", tmp_path: Path) -> None:
    window.route("**/upload", lambda route: route.abort())
    files = [photo(tmp_path / f"{number}.jpg") for number in range(6)]
    window.locator("#files").set_input_files(files)
    expect(window.get_by_text("trying again soon: imgpipe does not answer")).to_be_visible()
    expect(card(window, "5.jpg")).to_contain_text("Waiting to be sent")
    expect(window.locator("[data-status=refused]")).to_have_count(0)
    window.unroute("**/upload")
    expect(window.get_by_text("6 images in work")).to_be_visible()
    assert stored(paged) == 6

    window.route("**/upload", lambda route: None)
    window.locator("#files").set_input_files([photo(tmp_path / f"more-{number}.jpg") for number in range(6)])
    expect(card(window, "more-5.jpg")).to_contain_text("Waiting to be sent")
    window.get_by_role("button", name="Stop").click()
    expect(window.locator(".card")).to_have_count(6)
    expect(window.get_by_text("6 images in work")).to_be_visible()


def test_an_upload_whose_answer_was_lost_is_not_made_twice(paged: Paged, window: "Page", tmp_path: Path) -> None:
    def lose(route: "Route") -> None:
        route.fetch()
        route.abort()

    window.route("**/upload", lose, times=1)
    window.locator("#files").set_input_files([photo(tmp_path / "once.jpg")])
    expect(card(window, "once.jpg")).to_contain_text("Queued")
    assert stored(paged) == 1
    expect(window.locator(".card")).to_have_count(1)


def test_refused_uploads_belong_to_the_failed_until_tried_again(paged: Paged, window: "Page", tmp_path: Path) -> None:
    def late(route: "Route") -> None:
        told = {"code": "upload_refused", "detail": "S3 refused the upload.", "remedy": "Upload it again."}
        route.fulfill(status=403, content_type="application/problem+json", body=json.dumps(told))

    window.route("**/upload", late)
    window.locator("#files").set_input_files([photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg")])
    expect(window.locator("[data-status=refused]")).to_have_count(2)
    window.get_by_label("Done", exact=True).check()
    expect(window.get_by_text("Nothing is done.")).to_be_visible()
    expect(window.locator(".card")).to_have_count(0)
    window.get_by_label("Failed", exact=True).check()
    expect(window.locator("[data-status=refused]")).to_have_count(2)
    window.unroute("**/upload")
    window.get_by_role("button", name="Try again: a.jpg").click()
    expect(window.locator(".card")).to_have_count(1)
    window.get_by_role("button", name="Dismiss: b.jpg").click()
    expect(window.locator(".card")).to_have_count(0)
    window.get_by_label("All").check()
    expect(card(window, "a.jpg")).to_contain_text("Queued")
    window.get_by_label("Done", exact=True).check()
    expect(window.locator(".card")).to_have_count(0)
    paged.running.work()
    expect(card(window, "a.jpg")).to_contain_text("thumb")

    window.route("**/upload", late)
    drop(window, photo(tmp_path / "c.jpg"), photo(tmp_path / "d.jpg"))
    expect(window.locator("[data-status=refused]")).to_have_count(2)
    expect(card(window, "a.jpg")).to_be_visible()
    window.unroute("**/upload")
    window.get_by_role("button", name="Try all again").click()
    expect(window.get_by_text("2 images in work")).to_be_visible()


def test_what_leaves_a_filter_leaves_the_page(paged: Paged, window: "Page", tmp_path: Path) -> None:
    put(paged, "gone.jpg", "stays.jpg", folder=tmp_path)
    expect(window.locator(".card")).to_have_count(2)
    held: list[Route] = []
    first = "**/api/images?status=done"
    window.route(first, lambda route: held.append(route), times=1)
    with window.expect_request(first):
        window.get_by_label("Done", exact=True).check()
    # While the first answer is under way, nothing else reads the list.
    expect(window.locator(".card")).to_have_count(2)
    held[0].continue_()
    expect(window.locator("#count")).to_have_text("2 images")
    paged.running.delete("gone.jpg")
    paged.running.work()
    expect(window.locator(".card")).to_have_count(1)
    expect(card(window, "stays.jpg")).to_be_visible()


def test_a_failed_action_is_told_where_it_was_asked_for(paged: Paged, window: "Page", tmp_path: Path) -> None:
    put(paged, "x.jpg", folder=tmp_path)
    card(window, "x.jpg").get_by_role("button").click()
    details = window.get_by_role("dialog", name="x.jpg")
    window.route(
        "**/api/images/*", lambda route: refuse(route) if route.request.method == "DELETE" else route.continue_()
    )
    details.get_by_role("button", name="Delete…").click()
    details.get_by_role("button", name="Delete it").click()
    expect(details.get_by_role("alert")).to_have_text("AWS refused s3:DeleteObject. Have it allowed.")
    expect(details.get_by_role("button", name="Delete…")).to_be_focused()
    asked: list[Route] = []
    window.route("**/reprocess", lambda route: asked.append(route))
    details.get_by_role("button", name="Reprocess").dblclick()
    expect(details.get_by_role("button", name="Reprocess")).to_be_disabled()
    asked[0].continue_()
    expect(details.locator(".state")).to_have_text("Queued")
    assert len(asked) == 1


def test_a_start_that_fails_and_an_answer_that_is_cut_are_got_over(
    chromium: "Browser", paged: Paged, tmp_path: Path
) -> None:
    window = chromium.new_page()
    window.route("**/about", lambda route: route.abort(), times=1)
    window.goto(paged.dashboard.url)
    expect(window.get_by_role("alert")).to_contain_text("imgpipe does not answer")
    expect(window.get_by_text("Stack imgpipe, on this machine")).to_be_visible()
    cut: dict[str, Any] = {"status": 200, "content_type": "application/json", "body": '{"images": ['}
    window.route("**/api/images?*", lambda route: route.fulfill(**cut), times=1)
    expect(window.get_by_role("alert")).to_contain_text("cannot be read")
    put(paged, "new.jpg", folder=tmp_path)
    expect(card(window, "new.jpg")).to_be_visible()
    expect(window.get_by_role("alert")).to_be_hidden()
    window.context.close()


def test_the_link_of_another_run_opens_in_the_same_window(chromium: "Browser", paged: Paged) -> None:
    window = chromium.new_page()
    window.goto(paged.dashboard.url)
    expect(window.get_by_text("Stack imgpipe, on this machine")).to_be_visible()
    paged.dashboard.close()
    with Dashboard(paged.connect, paged.dashboard.port) as another:
        window.goto(another.url)
        expect(window.get_by_text("Stack imgpipe, on this machine")).to_be_visible()
        expect(window.get_by_role("alert")).to_be_hidden()
        assert "#" not in window.url
    window.context.close()


def test_a_search_asks_no_further_by_itself_where_it_finds_nothing(paged: Paged, window: "Page") -> None:
    expect(window.get_by_text("No image yet.")).to_be_visible()
    asked: list[str] = []

    def endless(route: "Route") -> None:
        if "since" in route.request.url:
            asked.append("news")
        else:
            asked.append("page")
        cursor = None if asked[-1] == "news" else str(len(asked))
        route.fulfill(status=200, content_type="application/json", body=json.dumps({"images": [], "cursor": cursor}))

    window.route("**/api/images?*", endless)
    window.get_by_label("Failed", exact=True).check()
    expect(window.get_by_text("There is none among the newest images.")).to_be_visible()
    expect(window.get_by_role("button", name="Search further back")).to_be_visible()
    window.wait_for_event("response", lambda answer: "since=" in answer.url)
    assert asked.count("page") == 10
    window.get_by_role("button", name="Search further back").click()
    window.wait_for_event("response", lambda answer: "since=" in answer.url)
    window.wait_for_event("response", lambda answer: "since=" in answer.url)
    assert asked.count("page") == 20


def test_a_hostile_key_is_only_ever_text(paged: Paged, window: "Page", tmp_path: Path) -> None:
    key = "a/<img src=x onerror=alert(1)>'\"&.jpg"
    put(paged, key, folder=tmp_path)
    card(window, key).get_by_role("button").click()
    details = window.get_by_role("dialog", name=key)
    details.get_by_text("HTML for your page").click()
    expect(details.locator("#markup code")).to_contain_text("a/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E'%22%26.jpg")
    assert window.evaluate("document.querySelectorAll('[onerror]').length") == 0


def test_the_markup_shows_one_picture_in_one_size(paged: Paged, window: "Page") -> None:
    written = window.evaluate("""async () => {
        const { snippet } = await import("/snippet.js");
        const made = (preset, width, format, watermark) =>
          ({ preset, key: preset, width, height: width, format, watermark });
        const web = made("web", 1600, "jpeg", true);
        const renditions = [web, made("twin", 1600, "jpeg", true), made("thumb", 400, "webp", false),
          made("small", 800, "avif", true), made("wide", 1600, "webp", true)];
        return snippet({ renditions }, web, "https://img.example");
    }""")
    assert written == (
        "<picture>\n"
        '  <source type="image/webp"\n          srcset="https://img.example/wide">\n'
        '  <img src="https://img.example/web"\n'
        '       width="1600" height="1600" alt="" loading="lazy">\n'
        "</picture>"
    )


def test_one_bad_entry_of_a_drop_keeps_the_others(paged: Paged, window: "Page") -> None:
    found = window.evaluate("""async () => {
        const { walk } = await import("/picking.js");
        const entry = (name) => ({ isFile: true, file: (take) => take(new File(["x"], name)) });
        const bad = { isFile: true, file: (take, refuse) => refuse(new DOMException("gone", "NotFoundError")) };
        const folder = (parts) => ({ isFile: false,
          createReader: () => ({ readEntries: (take) => take(parts.splice(0)) }) });
        const all = [entry("a.jpg"), bad, folder([entry("b.constructor"), bad, entry("c.png")]), null];
        const { files, left, unread } = await walk(all);
        return [files.map((file) => file.name), left, unread];
    }""")
    assert found == [["a.jpg", "c.png"], 1, 2]
