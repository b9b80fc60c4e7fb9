"""Every test that stands in second_edition.md stands in the file that it names."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("second_edition.md")


def test_each_named_file_and_test_exists() -> None:
    named = 0
    for part in re.split(r"(?=`tests/)", TABLE.read_text(encoding="utf-8"))[1:]:
        path, *tests = re.findall(r"`(tests/[\w/.]+|test_\w+)`", part)
        place = ROOT / path
        assert place.exists(), path
        for test in tests:
            text = place.read_text(encoding="utf-8")
            assert re.search(rf"def {test}\b", text), f"{path} has no {test}"
            named += 1
    assert named > 40
