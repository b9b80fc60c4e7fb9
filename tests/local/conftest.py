"""`good`: a day on which every check holds."""

import pytest

from streams.local.demo.evidence import Evidence
from tests.local.good_day import good_day


@pytest.fixture
def good() -> Evidence:
    """A day of its own for each test."""
    return good_day()
