"""Formats times and durations for a person, in the chosen time zone, whose name is shown."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.core.model.instants import SECOND

_EARLIEST, _LATEST = (
    int(datetime(*day, tzinfo=UTC).timestamp()) * SECOND for day in ((1, 1, 2), (9999, 12, 31))
)
DEFAULT_ZONE = "Asia/Shanghai"
ZONES = (
    *("Asia/Shanghai", "UTC", "Asia/Hong_Kong", "Asia/Singapore", "Asia/Tokyo"),
    *("Europe/London", "Europe/Berlin", "America/New_York", "America/Los_Angeles"),
    "Australia/Sydney",
)
"""The zones that a person can choose."""


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        return None  # This machine has no data of the time zone.


def moment(ms: int, zone: str) -> str:
    """Writes an instant (ms) in a zone, with its offset: `2024-01-31 20:00:00 +08:00`.

    An instant at an end of the calendar becomes the first or last one that every zone can write.
    """
    told_in = _zone(zone)
    ms = min(max(ms, _EARLIEST), _LATEST)
    at = datetime.fromtimestamp(ms // SECOND, UTC if told_in is None else told_in)
    offset = at.strftime("%z")
    return f"{at.year:04d}-{at:%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def instant(text: str, zone: str) -> int:
    """Reads a time, in ms: of an `<input type=datetime-local>`, or RFC 3339 with an offset.

    Raises ValueError.
    """
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if at.tzinfo is None:
        at = at.replace(tzinfo=_zone(zone) or UTC)
    return int(at.timestamp() * 1000)
