"""The state of one account, as it is kept under its key and in the changelog.

All instants are milliseconds UTC. The encoding is MessagePack with fields by position. A new field
is added at the end and has a default, so that an older record can still be read.
"""

from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from schemas.enums import Event, Field, LabelSource, Level, Mode, Surface
from streams.core.lifecycle import Eligibility, Invitation
from streams.core.model.marks import remember
from streams.core.model.seldom import Seldom


class Label(Struct, array_like=True, gc=False):
    """A label. `text` is None for a label that the policy does not know; its text is never kept.

    `since`: from when labels of covered fields have followed one another without a gap. `removed`:
    a tombstone removed it, and only its time is kept. `contradictory`: another label of the same
    instant said something else, so neither counts until a newer one.
    """

    text: str | None
    observed_at: int
    source: LabelSource
    valid_until: int | None
    since: int
    removed: bool = False
    contradictory: bool = False


class Hold(Struct, array_like=True, gc=False):
    """A person's stop: from `since` until somebody ends it, or until `expires_at`."""

    since: int
    expires_at: int | None


class Said(Struct, array_like=True, gc=False):
    """The newest applied or stale one of a word.

    It keeps its time, the time that it states, what it is about (a digest), and the time of the
    newest applied one.
    """

    at: int
    stated: int
    about: int = 0
    applied_at: int | None = None


class Appeal(Struct, array_like=True, gc=False):
    """An open appeal: since when the clock stands still for it, and when it was last opened."""

    since: int
    opened_at: int


class Unclear(Struct, array_like=True, gc=False):
    """Unclear words of one kind: what is needed of the first and the newest to end them.

    schemas/CONTRACT.md, "Answers, receipts, unclear words".

    `since`: from when the clock stands still. `entry`: when the newest came in. `own`: the newest
    time that one of them states, where it could be read. `newest`: the time of the newest, or its
    entry if its own time could not be read.
    """

    since: int
    entry: int
    own: int | None
    newest: int


class Heard(Struct, array_like=True, gc=False):
    """What people said about an account. It stays when the account is closed.

    `words`: by word. `controls`: for those with the latest time, the time, a digest of the whole
    and one of the id (marks.py). `appeals`: the open ones, by id. `upheld_at`: the newest verdict
    for the owner, while its mark stands. `freed_at`: the newest word that ends such a mark.
    `held_at`: the newest hold. `unclear`: by topic, and under `appeals` the openings beyond the
    limit. `paused_until`: the latest end of a stop that is over; it may be later than what comes
    next.
    """

    words: dict[str, Said] = field(default_factory=dict)
    controls: bytes = b""
    appeals: dict[str, Appeal] = field(default_factory=dict)
    upheld_at: int | None = None
    freed_at: int | None = None
    held_at: int | None = None
    unclear: dict[str, Unclear] = field(default_factory=dict)
    paused_until: int | None = None


class Terms(Struct, array_like=True):
    """What was promised at issue. Stricter policies do not change it; milder ones do at once.

    The last five are pinned since the second edition. If `exit_ratio_ppm` is None, none of them is
    pinned, and those of the present policy count. `followers`: the count on which the invitation
    rests.
    """

    phase: str
    line: int
    field: Field
    field_source: LabelSource
    notice_id: str
    notice_version: str
    answer_window: int | None
    answer_by: int | None
    surfaces: dict[Surface, tuple[Level, Mode]]
    on: tuple[str, ...]
    reminders: tuple[int, ...]
    expires_after: int
    policy_version: int
    policy_digest: str
    exit_ratio_ppm: int | None = None
    leave_after: int = 0
    max_age: int | None = None
    keep: bool = False
    followers: int | None = None


class Throttled(Struct, array_like=True):
    """A restriction in force. `ordinal` numbers the restrictions of this surface in the cycle."""

    level: Level
    mode: Mode
    ordinal: int
    effective_at: int
    review_at: int
    expires_at: int


class CycleAside(Struct, array_like=True):
    """Fields of a cycle that are rarely set, or late in its life (see seldom.py)."""

    extended_to: int | None = None
    unclear: Unclear | None = None
    extend_waits: int | None = None
    declined_late: bool = False
    delivery_at: int | None = None
    answered_by: tuple[int, int] | None = None
    consent: str | None = None
    expired_at: int | None = None
    overdue: bool = False


class Cycle(Struct, array_like=True):
    """One invitation and what followed.

    `deadline_at` is what the owner was told last. It is calculated from `clock_base` by adding
    every stop of the clock after `clock_from` (see instants.py). `stops` are the account's own,
    ended stops. `receipts`: time and digest of those that named the cycle, so that none counts
    twice (marks.py); `receipt_keys`: those that the first edition kept. `issued_at` moves with a
    reissue, `first_issued_at` does not. `reminded_count`: how many of the pinned reminders are done
    since the last delivery.

    Kept in `aside`: `expired_at`: when `invitation.expired` was decided. `delivery_at`: when the
    delivery says that it was, if that is not `delivered_at`. `extended_to`: no deadline will be
    before it. `answered_by`: entry and time of the last applied grant or refusal. `consent`: the
    notice version that was agreed to. `unclear`: words on this cycle. `extend_waits`: becomes
    `extended_to` once another delivery is possible. `overdue`: the deadline passed before a word
    entered that is read before the deadline acts. `declined_late`: so did the refusal.
    """

    terms: Terms
    issued_at: int
    delivered_at: int | None = None
    deadline_at: int | None = None
    clock_base: int | None = None
    clock_from: int | None = None
    stops: tuple[tuple[int, int], ...] = ()
    reminded_count: int = 0
    answered_at: int | None = None
    receipt_keys: tuple[tuple[int, str], ...] = ()
    failed_at: int | None = None
    reissue_wanted: bool = False
    restriction_waived: bool = False
    ordinals: dict[str, int] = field(default_factory=dict)
    throttles: dict[Surface, Throttled] = field(default_factory=dict)
    first_issued_at: int | None = None
    receipts: bytes = b""
    aside: CycleAside | None = None

    extended_to = Seldom[int | None](CycleAside)
    unclear = Seldom[Unclear | None](CycleAside)
    extend_waits = Seldom[int | None](CycleAside)
    declined_late = Seldom[bool](CycleAside)
    overdue = Seldom[bool](CycleAside)
    delivery_at = Seldom[int | None](CycleAside)
    answered_by = Seldom[tuple[int, int] | None](CycleAside)
    consent = Seldom[str | None](CycleAside)
    expired_at = Seldom[int | None](CycleAside)


class Reading(NamedTuple):
    """A count that waits for the end of a leaving."""

    observed_at: int
    followers: int
    may_start_dwell: bool


class AccountAside(Struct, array_like=True, gc=False):
    """Fields of an account that are rarely set (see seldom.py)."""

    kept: Reading | None = None
    kept_label: Label | None = None
    dwell_after: int = 0
    spent: bool = False


class Life(Struct, array_like=True, gc=False):
    """The cycles of one mode: the last number, the last sequence, the state of the present one."""

    cycle_number: int = 0
    sequence: int = 0
    state: Invitation = Invitation.NONE
    cool_down_until: int | None = None
    cycle: Cycle | None = None


class Account(Struct, array_like=True, gc=False):
    """Everything that is known about an account.

    `above_line_since`: by line, the `observed_at` of the first reading of the unbroken run at or
    above it. `followers`: None if no count is remembered. `may_start_dwell`: whether the last
    reading may. `last_applied`: topic number and offset of the last input that changed the account,
    so that a double application is seen. `evaluated_until`: the instant up to which time has passed
    for it.

    Kept in `aside`: `kept`, `kept_label`: inputs that came in after the end of a leaving or of a
    label, and wait until that end has acted. `dwell_after`: no dwell begins before. `spent`: this
    dwell has led to an invitation.

    `heard`: what people said about it. `appeal`, `controls` and `answered` belong to the first
    edition; they are empty once its record was read.
    """

    followers: int | None = None
    observed_at: int | None = None
    above_line_since: dict[int, int] = field(default_factory=dict)
    label: Label | None = None
    eligibility: Eligibility = Eligibility.OUTSIDE
    line: int = 0
    dwell_from: int | None = None
    leaving_since: int | None = None
    last_applied: tuple[int, int] = (-1, -1)
    live: Life = field(default_factory=Life)
    shadow: Life = field(default_factory=Life)
    closed: bool = False
    opened_at: int | None = None
    exempt: bool = False
    exempt_at: int | None = None
    owner_at: int | None = None
    hold: Hold | None = None
    appeal: Hold | None = None
    controls: tuple[int, ...] = ()
    answered: tuple[int, str] | None = None
    deferred: str | None = None
    may_start_dwell: bool = False
    evaluated_until: int | None = None
    heard: Heard | None = None
    aside: AccountAside | None = None

    kept = Seldom[Reading | None](AccountAside)
    kept_label = Seldom[Label | None](AccountAside)
    dwell_after = Seldom[int](AccountAside)
    spent = Seldom[bool](AccountAside)

    def life(self, mode: Mode) -> Life:
        """The life of a mode."""
        return self.live if mode is Mode.ENFORCE else self.shadow

    @property
    def never_applied(self) -> bool:
        """Whether no input was ever applied to it."""
        return self.last_applied[0] < 0

    @property
    def remembered(self) -> bool:
        """Whether more than a reading was ever heard of it; then its count is kept at any size."""
        return bool(
            self.live.cycle_number
            or self.shadow.cycle_number
            or (self.heard is not None and (self.heard.controls or self.heard.unclear))
            or self.opened_at is not None
            or self.exempt_at is not None
            or self.owner_at is not None
        )


MOST_CONTROLS = 256
"""How many controls of an account are remembered: those with the latest time."""

UNKNOWN_CONTENT = -1
"""Stands for the content digest of a control of which only the id was kept."""


class AccountRef(NamedTuple):
    """Which account a state belongs to."""

    platform: str
    account_id: str

    @property
    def key(self) -> bytes:
        """The Kafka key."""
        return f"{self.platform}:{self.account_id}".encode()

    @classmethod
    def of(cls, key: bytes) -> "AccountRef":
        """Reads the Kafka key."""
        platform, _, account_id = key.decode().partition(":")
        return cls(platform, account_id)


_encoder = msgspec.msgpack.Encoder()
_accounts = msgspec.msgpack.Decoder(Account)
_labels = msgspec.msgpack.Decoder(Label)

encode = _encoder.encode
decode_label = _labels.decode
_decode_account = _accounts.decode


_FIRST_EDITION_FIELDS = 23
_ARRAY_16 = 0xDC
"""How MessagePack begins an array of 16 fields or more. Two bytes with the number follow."""


def decode_account(raw: bytes) -> Account:
    """Decodes an account. What the first edition kept of words is carried over."""
    account = _decode_account(raw)
    if raw[2] > _FIRST_EDITION_FIELDS and raw[0] == _ARRAY_16:
        return account
    if account.heard is None and _of_first_edition(account):
        carry_over(account)
    return account


def _of_first_edition(account: Account) -> bool:
    """Whether words are kept in the form of the first edition, which had no `heard`."""
    return bool(account.controls or account.answered or account.hold or account.appeal) or not (
        account.opened_at is account.exempt_at is account.owner_at is None
    )


def carry_over(account: Account) -> None:
    """Turns what the first edition kept into the form of the second.

    Of a control it kept a digest of the id only. Such a control counts as older than any other, and
    its content as unknown.
    """
    heard = Heard()
    marks = account.controls[-MOST_CONTROLS:]
    for mark in marks:
        heard.controls = remember(heard.controls, -1, (UNKNOWN_CONTENT, mark), MOST_CONTROLS)
    if account.answered is not None:
        at, words = account.answered
        heard.words = {word: Said(at, at, 0, at) for word in words.split("+")}
    if account.opened_at is not None:
        _carry(heard, "closed" if account.closed else "reopened", account.opened_at)
    if account.exempt_at is not None:
        _carry(heard, "exempted" if account.exempt else "exemption_ended", account.exempt_at)
    if account.owner_at is not None:
        _carry(heard, "owner_changed", account.owner_at)
        heard.freed_at = account.owner_at
    if account.appeal is not None:
        heard.appeals[""] = Appeal(account.appeal.since, account.appeal.since)
    if account.hold is not None:
        heard.held_at = account.hold.since
    account.controls, account.answered, account.appeal = (), None, None
    account.heard = heard


def _carry(heard: Heard, word: str, at: int) -> None:
    heard.words[word] = Said(at, at, 0, at)


def next_ordinal(cycle: Cycle, event: Event, surface: Surface | None) -> int:
    """Counts one more of an action in the cycle; the first one is 1."""
    name = event if surface is None else f"{event}/{surface}"
    cycle.ordinals[name] = number = cycle.ordinals.get(name, 0) + 1
    return number
