"""Keeps which notice versions were in force when, to know what a grant of a version agrees to.

A notice is the text that an owner is shown. A partition keeps, for each platform, the versions in
the order in which it took them up, that is, began to use a policy with them. Instants are
milliseconds UTC.
"""

from collections.abc import Sequence

from msgspec import Struct

from streams.core.model.policy import Notice

MOST_NOTICES = 100
"""How many versions of a platform are kept. A grant that names an older one is unclear."""


class NoticeTakenUp(Struct, array_like=True):
    """A notice version. `since`: when it came into force. `renew`: it voids older consents."""

    notice_id: str
    version: str
    since: int
    renew: bool


Notices = Sequence[NoticeTakenUp]


def with_notice(
    known: tuple[NoticeTakenUp, ...], notice: Notice, since: int
) -> tuple[NoticeTakenUp, ...]:
    """Returns the versions of a platform with `notice` as the newest.

    If `notice` is the newest already, it keeps its time; only `renew` is updated.
    """
    if known and (known[-1].notice_id, known[-1].version) == (notice.id, notice.version):
        since = known[-1].since
        known = known[:-1]
    taken_up = NoticeTakenUp(notice.id, notice.version, since, notice.renew)
    return (*known, taken_up)[-MOST_NOTICES:]


def find(notices: Notices, version: str) -> NoticeTakenUp | None:
    """Returns the latest entry of a version; None if it is not among those kept."""
    return next((one for one in reversed(notices) if one.version == version), None)


def in_force_since(notices: Notices, version: str, since: int) -> NoticeTakenUp | None:
    """Returns the entry of a version if it was in force at any time since `since`; else None."""
    ends: int | None = None
    for one in reversed(notices):
        if ends is not None and ends <= since:
            return None
        if one.version == version:
            return one
        ends = one.since
    return None


def renewed(notices: Notices, version: str) -> bool:
    """Whether a later version that voids older consents was taken up after this one."""
    for one in reversed(notices):
        if one.version == version:
            return False
        if one.renew:
            return True
    return False


def is_newer(notices: Notices, version: str, than: str) -> bool:
    """Whether `version` was taken up after `than`. A version that is not kept is the oldest."""
    one, other = find(notices, version), find(notices, than)
    if one is None or version == than:
        return False
    return other is None or one.since > other.since
