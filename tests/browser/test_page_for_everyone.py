"""The page can be read by everyone: axe-core finds nothing serious in any state of it, light or dark."""

from pathlib import Path
from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe
from page_case import Paged
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page


def check(window: "Page", state: str) -> None:
    for scheme in ("light", "dark"):
        window.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(window).response["violations"]
        serious = [
            (state, scheme, violation["id"], [node["target"] for node in violation["nodes"]])
            for violation in found
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_axe_finds_nothing_serious_in_any_state(paged: Paged, window: "Page", tmp_path: Path) -> None:
    expect(window.get_by_text("No image yet.")).to_be_visible()
    check(window, "empty")
    source = tmp_path / "source.png"
    Image.radial_gradient("L").resize((640, 480)).save(source)
    paged.running.put("sun.png", source.read_bytes())
    paged.running.put("bad.jpg", b"no image")
    paged.running.work()
    window.locator("#files").set_input_files([source])
    expect(window.locator(".card")).to_have_count(3)
    check(window, "full")
    window.set_viewport_size({"width": 360, "height": 740})
    assert window.evaluate("document.documentElement.scrollWidth") == 360
    check(window, "narrow")
    window.get_by_role("button", name="sun.png, done").click()
    window.get_by_text("HTML for your page").click()
    check(window, "details")
    window.get_by_role("button", name="Delete…").click()
    check(window, "question")
    window.keyboard.press("Escape")
    window.get_by_role("button", name="bad.jpg, failed").click()
    check(window, "failure")
    window.keyboard.press("Escape")
    window.get_by_role("button", name="Recipe").click()
    check(window, "recipe")
    window.keyboard.press("Escape")
    paged.dashboard.close()
    expect(window.get_by_role("alert")).to_be_visible(timeout=20_000)
    check(window, "trouble")
