"""Which notices were in force when: what a grant that names a version has agreed to.

A partition keeps, for each platform, the versions that it took up, in order.
"""

from collections.abc import Sequence

from msgspec import Struct

from streams.core.model.policy import Notice

MOST_NOTICES = 100
"""How many versions of a platform are kept. A grant that names an older one is unclear."""


class NoticeTakenUp(Struct, array_like=True):
    """A version of the notice, and since when it is in force. `renew`: it voids older consents."""

    notice_id: str
    version: str
    since: int
    renew: bool


Notices = Sequence[NoticeTakenUp]


def with_notice(
    known: tuple[NoticeTakenUp, ...], notice: Notice, since: int
) -> tuple[NoticeTakenUp, ...]:
    """The versions of a platform once a policy with this notice is in force."""
    if known and (known[-1].notice_id, known[-1].version) == (notice.id, notice.version):
        since = known[-1].since
        known = known[:-1]
    taken_up = NoticeTakenUp(notice.id, notice.version, since, notice.renew)
    return (*known, taken_up)[-MOST_NOTICES:]


def find(notices: Notices, version: str) -> NoticeTakenUp | None:
    """A version as it was last taken up; None if it never was, as far as is known."""
    return next((one for one in reversed(notices) if one.version == version), None)


def in_force_since(notices: Notices, version: str, since: int) -> NoticeTakenUp | None:
    """A version, if it was in force at any time since an instant; else None."""
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
    """Whether a version was taken up after another. An unknown one counts as older than all."""
    one, other = find(notices, version), find(notices, than)
    if one is None or version == than:
        return False
    return other is None or one.since > other.since
