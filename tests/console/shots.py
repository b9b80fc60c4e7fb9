"""`python -m tests.console.shots FOLDER [PAGE…]`: pages as pictures, 1280 px light and 390 px dark.

Says of each whether it is wider than its window.
"""

import sys
import tempfile
from pathlib import Path

from tests.console.served import AUDITED, ServedConsole, chromium

SIZES = ((1280, 800, "light"), (390, 800, "dark"))
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main(folder: Path, wanted: list[str]) -> None:
    """Takes the pictures: as an auditor of what he alone sees, as an operator of all else."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, ServedConsole(Path(work)) as served:
        paths = {name: it for name, it in served.paths().items() if not wanted or name in wanted}
        with chromium() as browser:
            for person in ("operator", "auditor"):
                auditing = person == "auditor"
                mine = {it: paths[it] for it in paths if (it in AUDITED) == auditing}
                for width, height, theme in SIZES if mine else ():
                    size = {"width": width, "height": height}
                    page = browser.new_context(viewport=size, color_scheme=theme).new_page()
                    served.sign_in(page, person)
                    for name, path in mine.items():
                        page.goto(f"{served.address}{path}")
                        page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
                        wider = page.evaluate(TOO_WIDE)
                        print(name, width, f"{wider} px too wide" if wider else "fits", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
