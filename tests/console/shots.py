"""`python -m tests.console.shots FOLDER [PAGE…]`: pages as pictures, 1280 px light and 390 px dark.

`--language zh` takes them in Chinese. `--readme` makes those of the README anew, in
tests/console/pictures. Says of each page whether it is wider than its window. Labels are Chinese:
without such a font (Debian's fonts-droid-fallback) they are empty boxes.
"""

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from tests.console.served import AUDITED, ServedConsole, chromium

SIZES = ((1280, 800, "light"), (390, 800, "dark"))
OPENED = "document.querySelectorAll('details').forEach(it => { it.open = true; })"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PICTURES = Path(__file__).resolve().parent / "pictures"
OF_README = {"overview": 915, "account-stopped": 740, "pending": 660}
"""The pages of the README's pictures, and how high each picture is."""
COLOURS = 64


def signed_in(browser: Any, served: ServedConsole, person: str, language: str, **size: Any) -> Any:
    """A page of a context of its own, where a person is signed in."""
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    page = browser.new_context(locale=locale, **size).new_page()
    served.sign_in(page, person)
    return page


def every(browser: Any, served: ServedConsole, folder: Path, wanted: list[str], lang: str) -> None:
    """Takes pages whole: as an auditor what he alone sees, as an operator all else."""
    paths = {name: it for name, it in served.paths().items() if not wanted or name in wanted}
    for person in ("operator", "auditor"):
        auditing = person == "auditor"
        mine = {it: paths[it] for it in paths if (it in AUDITED) == auditing}
        for width, height, theme in SIZES if mine else ():
            size = {"width": width, "height": height}
            page = signed_in(browser, served, person, lang, viewport=size, color_scheme=theme)
            for name, path in mine.items():
                page.goto(f"{served.address}{path}")
                page.evaluate(OPENED)
                page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
                wider = page.evaluate(TOO_WIDE)
                print(name, width, f"{wider} px too wide" if wider else "fits", flush=True)


def of_readme(browser: Any, served: ServedConsole, folder: Path) -> None:
    """Takes the top of the README's pages, in few colours, so that the files are small."""
    paths = served.paths()
    for name, height in OF_README.items():
        size = {"width": 1200, "height": height}
        page = signed_in(browser, served, "operator", "en", viewport=size, color_scheme="light")
        page.goto(f"{served.address}{paths[name]}")
        taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        file = folder / f"{name}.png"
        taken.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
        print(name, file.stat().st_size, "bytes", flush=True)


def main() -> None:
    """Takes the pictures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.shots")
    parser.add_argument("folder", type=Path, nargs="?", default=PICTURES)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("--readme", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as work,
        ServedConsole(Path(work)) as served,
        chromium() as browser,
    ):
        if asked.readme:
            of_readme(browser, served, asked.folder)
        else:
            every(browser, served, asked.folder, asked.pages, asked.language)


if __name__ == "__main__":
    main()
