"""`good`: a day on which every check holds."""

import pytest

from streams.local.demo.checks import DayEvidence
from tests.local.good_day import good_day


@pytest.fixture
def good() -> DayEvidence:
    """A day of its own for each test."""
    return good_day()
