"""Make the README's picture of the page, `docs/page.jpg`: samples and a broken file, uploaded in a real browser.

Run it with the dev extra and the system's Chromium, on the link of a page without images, as `imgpipe emulate` prints
it: `python docs/make_screenshot.py LINK`.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import FilePayload, expect, sync_playwright

from imgpipe.local.samples import SAMPLES


def main(link: str) -> None:
    drawn = {Path(key).name: draw() for key, draw in SAMPLES.items() if not key.endswith(".txt")}
    files = [FilePayload(name=name, mimeType="", buffer=data) for name, data in drawn.items()]
    broken = files[0]["buffer"][:100_000]
    files.append(FilePayload(name="broken.jpg", mimeType="", buffer=broken))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(link)
        page.locator("#files").set_input_files(files)
        expect(page.locator("[data-status=done], [data-status=failed]")).to_have_count(len(files), timeout=120_000)
        page.wait_for_load_state("networkidle")
        with Image.open(io.BytesIO(page.screenshot())) as picture:
            picture.convert("RGB").save(
                Path(__file__).with_name("page.jpg"), quality=86, optimize=True, progressive=True
            )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
