"""The state of one account, as it is stored under its key and in the changelog.

All instants are milliseconds UTC. The encoding is MessagePack with fields by position. A new field
is added at the end and has a default, so that an older record can still be read.

A *word* is an input record in which a person or a system says something about an account: an
account change, an answer, a control, a receipt. Its *entry* is when it was appended to Kafka. The
clock of an answer is the owner's answer window; it stands still during a *stop* (instants.py). The
*first edition* is the state format before `heard` existed.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from schemas.enums import Deferral, Event, Field, LabelSource, Level, Mode, Surface
from streams.core.lifecycle import Eligibility, Invitation
from streams.core.model import ids
from streams.core.model.marks import remember
from streams.core.model.seldom import Seldom

_ENFORCE = Mode.ENFORCE  # Python looks up a name of a module much faster than one of an enum.

Waiting = tuple[tuple[Event, tuple[Deferral, ...]], ...]
"""Adverse events that are held back, each with its reasons."""


class Label(Struct, array_like=True, gc=False):
    """The platform's category text of an account.

    `text` is None for a label that the policy does not know; its text is never kept. `since`: from
    when the account has had labels of covered fields without a gap. `removed`: a tombstone removed
    the label, and only its time is kept. `contradictory`: two different labels have this same time,
    so neither counts until a newer one comes.
    """

    text: str | None
    observed_at: int
    source: LabelSource
    valid_until: int | None
    since: int
    removed: bool = False
    contradictory: bool = False


class Hold(Struct, array_like=True, gc=False):
    """An operator's hold: nothing adverse from `since` until a person ends it, or `expires_at`."""

    since: int
    expires_at: int | None


class Said(Struct, array_like=True, gc=False):
    """What is remembered of one kind of word, for instance `granted` or `closed`.

    `at`, `stated`, `about`: of the newest word that was applied or stale, the time that counts, the
    time that it states, and a digest of what it is about. `applied_at`: the time of the newest word
    that was applied.
    """

    at: int
    stated: int
    about: int = 0
    applied_at: int | None = None


class Appeal(Struct, array_like=True, gc=False):
    """An open appeal. `since`: from when it stops the clock. `opened_at`: its newest opening."""

    since: int
    opened_at: int


class Unclear(Struct, array_like=True, gc=False):
    """The unclear words of one kind: records that cannot be read or do not fit.

    schemas/CONTRACT.md, "Answers, receipts, unclear words".

    Only what later ends them is kept. `since`: from when they stop the clock. `entry`: the latest
    entry. `own`: the latest time that one of them states, None if no time could be read. `newest`:
    the latest of their times, where a time that could not be read is replaced by the entry.
    """

    since: int
    entry: int
    own: int | None
    newest: int


class Heard(Struct, array_like=True, gc=False):
    """What is remembered of the words about an account. It is kept when the account is closed.

    `words`: by kind of word. `controls`: of the controls with the latest times, the time, a digest
    of the content and one of the id (marks.py). `appeals`: the open ones, by id. `upheld_at`: the
    time of the newest upheld appeal, as long as it keeps new cycles away. `freed_at`: the time of
    the newest word that ends this effect. `held_at`: the time of the newest hold. `unclear`: by
    topic; under `appeals`, the appeals beyond the limit of open ones. `paused_until`: the latest
    end of a stop that is over; it may lie in the future if a sender's clock is fast.
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
    """What an invitation promised when it was issued.

    A stricter policy does not change it; a milder one applies at once, and a surface that it frees
    leaves `surfaces`. The fields from `exit_ratio_ppm` on are kept since the second edition. If
    `exit_ratio_ppm` is None they are unknown, and the present policy's values apply. `followers`:
    the count at issue. Durations are milliseconds, ratios parts per million.
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
    """A restriction in force on a surface.

    `ordinal` counts the restrictions of this surface in the cycle, from 1.
    """

    level: Level
    mode: Mode
    ordinal: int
    effective_at: int
    review_at: int
    expires_at: int


class CycleAside(Struct, array_like=True):
    """Fields of a cycle that are rarely set, or set late (see seldom.py); `Cycle` explains them."""

    extended_to: int | None = None
    unclear: Unclear | None = None
    extend_waits: int | None = None
    declined_late: bool = False
    delivery_at: int | None = None
    answered_by: tuple[int, int] | None = None
    consent: str | None = None
    expired_at: int | None = None
    overdue: bool = False
    keyed_id: str | None = None
    delivery_entry: int | None = None
    bounced: tuple[int, int] | None = None
    settled: tuple[int, int] | None = None
    declined_entry: int | None = None


class Cycle(Struct, array_like=True):
    """One invitation and what followed from it.

    `deadline_at` is the deadline that the owner was told last. It is `clock_base` plus the length
    of every stop of the clock after `clock_from` (instants.py). `stops` are the ended stops of this
    account alone. `receipts`: time and digest of the receipts that named the cycle, so that none
    counts twice (marks.py); `receipt_keys`: those that the first edition kept. `issued_at` changes
    with a reissue, `first_issued_at` does not. `reminded_count`: how many of the reminders in
    `terms` were sent since the last delivery. `ordinals`: how often each action happened.

    Kept in `aside`: `expired_at`: when `invitation.expired` was decided. `delivery_at`: the time of
    delivery that the receipt states, if it is not `delivered_at`. `extended_to`: the earliest
    possible deadline, set by an operator. `extend_waits`: becomes `extended_to` once another
    delivery is possible. `answered_by`: entry and time of the last applied grant or refusal.
    `consent`: the notice version to which the owner agreed. `unclear`: unclear answers to this
    invitation. `overdue`: a word entered after the deadline, but was read before the deadline's
    timer ran. `declined_late`: the owner's refusal did so. `keyed_id`: the invitation's id, if it
    was issued under the setting `ID_KEY`; the cycle keeps it when the key changes.
    `delivery_entry`: when the receipt entered that began the present window. `bounced`: of the
    deliveries that failed, the latest entry of such a receipt and the earliest deadline then.
    `settled`: entry and time of the newest command `settle`. `declined_entry`: when the refusal
    entered that restricts; later ones are recorded only.
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
    keyed_id = Seldom[str | None](CycleAside)
    delivery_entry = Seldom[int | None](CycleAside)
    bounced = Seldom[tuple[int, int] | None](CycleAside)
    settled = Seldom[tuple[int, int] | None](CycleAside)
    declined_entry = Seldom[int | None](CycleAside)


class Reading(NamedTuple):
    """A reading that is kept aside until the account has left (AccountAside.kept)."""

    observed_at: int
    followers: int
    may_start_dwell: bool


class AccountAside(Struct, array_like=True, gc=False):
    """Fields of an account that are rarely set (see seldom.py); `Account` explains them."""

    kept: Reading | None = None
    kept_label: Label | None = None
    dwell_after: int = 0
    spent: bool = False


class Life(Struct, array_like=True, gc=False):
    """The cycles of one mode: the number of the last one, the last sequence, the present state."""

    cycle_number: int = 0
    sequence: int = 0
    state: Invitation = Invitation.NONE
    cool_down_until: int | None = None
    cycle: Cycle | None = None

    def invitation_id(self, ref: "AccountRef", mode: Mode) -> str:
        """Returns the id of the last cycle's invitation; `mode` is that of this life."""
        if self.cycle is not None and self.cycle.keyed_id is not None:
            return self.cycle.keyed_id
        return ids.invitation_id(ref.platform, ref.account_id, mode, self.cycle_number)


class Account(Struct, array_like=True, gc=False):
    """Everything that is known about an account.

    `followers`: the last count, None if none is kept. `line`: the follower line that applies to the
    account. `above_line_since`: by line, the `observed_at` of the first reading since which all
    readings were at or above that line. `may_start_dwell`: whether the cause of the last reading
    allows a dwell to start. `last_applied`: topic number and offset of the last input that changed
    the account, so that a repeated application is detected. `evaluated_until`: the instant as of
    which the account was last evaluated. `deferred`: the text form of `waiting`, as it is stored.

    Kept in `aside`: `kept`, `kept_label`: a reading and a label that entered after a leaving or the
    old label had ended, but before that end was processed. `dwell_after`: the earliest start of a
    dwell. `spent`: the present dwell has led to an invitation.

    `heard`: what is remembered of words. `appeal`, `controls` and `answered` belong to the first
    edition; they are emptied when such a record is read.
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

    @property
    def waiting(self) -> Waiting:
        """The adverse events that are held back, each with its reasons in their fixed order."""
        texts = [] if self.deferred is None else self.deferred.split(";")
        pairs = (text.split(":") for text in texts)
        return tuple((Event(event), tuple(map(Deferral, by.split("+")))) for event, by in pairs)

    @staticmethod
    def waiting_text(waiting: Iterable[tuple[Event, Iterable[Deferral]]]) -> str | None:
        """Returns the text that is stored for events that wait: the state's format has no list."""
        return ";".join(f"{event}:{'+'.join(by)}" for event, by in waiting) or None

    def life(self, mode: Mode) -> Life:
        """Returns the live life for `enforce`, else the shadow life."""
        return self.live if mode is _ENFORCE else self.shadow

    @property
    def never_applied(self) -> bool:
        """Whether no input was ever applied to the account."""
        return self.last_applied[0] < 0

    @property
    def remembered(self) -> bool:
        """Whether more than readings and labels are known; then the count is kept at any size."""
        return bool(
            self.live.cycle_number
            or self.shadow.cycle_number
            or (self.heard is not None and (self.heard.controls or self.heard.unclear))
            or self.opened_at is not None
            or self.exempt_at is not None
            or self.owner_at is not None
        )


MOST_CONTROLS = 256
"""How many controls of an account are remembered: those with the latest times."""

UNKNOWN_CONTENT = -1
"""The content digest of a control of which the first edition kept only the id."""


class AccountRef(NamedTuple):
    """The identity of an account."""

    platform: str
    account_id: str

    @property
    def key(self) -> bytes:
        """The Kafka key."""
        return f"{self.platform}:{self.account_id}".encode()

    @classmethod
    def of(cls, key: bytes) -> "AccountRef":
        """Parses a Kafka key."""
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
"""The first byte of a MessagePack array of 16 fields or more. Two bytes with the number follow."""


def decode_account(raw: bytes) -> Account:
    """Decodes an account, and converts a record of the first edition."""
    account = _decode_account(raw)
    if raw[0] == _ARRAY_16 and raw[2] > _FIRST_EDITION_FIELDS:
        return account
    if account.heard is None and _of_first_edition(account):
        carry_over(account)
    return account


def _of_first_edition(account: Account) -> bool:
    """Whether the account is stored in the form of the first edition, which had no `heard`."""
    return bool(account.controls or account.answered or account.hold or account.appeal) or not (
        account.opened_at is account.exempt_at is account.owner_at is None
    )


def carry_over(account: Account) -> None:
    """Converts the words of a first-edition account into `heard`.

    The first edition kept only a digest of a control's id. Such a control gets a time before all
    others and `UNKNOWN_CONTENT`.
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
    """Counts an action in the cycle, and returns its number; the first one is 1."""
    name = event if surface is None else f"{event}/{surface}"
    cycle.ordinals[name] = number = cycle.ordinals.get(name, 0) + 1
    return number
