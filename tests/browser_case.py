"""A real browser for the tests of the page: Chromium as the system has it, driven by Playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_case import Paged
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no chromium is installed: it is in the distribution's packages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: "Browser", paged: Paged) -> "Iterator[Page]":
    """A window on the page; whatever goes wrong in its programs, or against its policy, fails the test."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(told.text) if "Content Security Policy" in told.text else None)
    page.goto(paged.dashboard.url)
    yield page
    context.close()
    assert wrong == []


def drop(page: "Page", *paths: Path) -> None:
    """Let go of files and folders over the page, as from the desktop."""
    devices = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devices.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def photo(path: Path, size: tuple[int, int] = (640, 480)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.radial_gradient("L").resize(size).convert("RGB").save(path)
    return path


def put(paged: Paged, *keys: str, folder: Path) -> None:
    """Put a photo at each key, and let it be rendered."""
    for key in keys:
        paged.running.put(key, photo(folder / "source.jpg").read_bytes(), told=False)
    paged.running.work()


def card(window: "Page", name: str) -> "Locator":
    return window.locator(".card", has=window.get_by_role("heading", name=name, exact=True))
