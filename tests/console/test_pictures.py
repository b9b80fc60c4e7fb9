"""The pictures of the pages: each page was looked at, and those of the README are small."""

import re
from pathlib import Path

import pytest

from tests.console.served import PATHS
from tests.console.shots import OF_README, PICTURES

MOST_BYTES = 150_000
TABLE = Path("tests/console/PICTURES.md")


def test_every_page_has_its_row_in_the_table_of_what_was_looked_at() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", TABLE.read_text(encoding="utf-8"), re.M)
    assert sorted(rows) == sorted([*PATHS, "sign-in"])


@pytest.mark.parametrize("name", OF_README)
def test_a_picture_of_the_readme_is_small_and_has_words(name: str) -> None:
    file = PICTURES / f"{name}.png"
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size <= MOST_BYTES
    readme = Path("README.md").read_text(encoding="utf-8")
    words = re.search(rf"!\[([^\]]+)\]\({file.relative_to(Path.cwd())}\)", readme)
    assert words is not None, f"README.md does not show {file.name}"
    assert len(words[1]) > 40
