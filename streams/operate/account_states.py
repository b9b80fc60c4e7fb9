"""Reads the workers' state of accounts from the changelog, and what defers their adverse events.

Only accounts that an operator may have to act on are kept, so that millions fit in memory.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec

from schemas.enums import Deferral, Event, Mode
from streams.core.lifecycle import Invitation
from streams.core.limits.caps import Caps
from streams.core.limits.cluster import CLUSTER, ClusterChange
from streams.core.limits.guards import GuardBook
from streams.core.limits.partition_limits import CAPS, GUARDS, PartitionLimits
from streams.core.limits.switches import BRAKES, Switches
from streams.core.model.account import Account, AccountRef, decode_account
from streams.core.model.policy import Policy
from streams.core.model.step_effects import StepEffects
from streams.core.rules.applicable_phase import deferrals
from streams.core.rules.context import DecisionContext
from streams.core.rules.unclear import is_unclear
from streams.core.state.adoption import Adopted
from streams.core.state.evaluator import POLICIES as ADOPTED
from streams.operate.audit.records import Record
from streams.operate.errors import UnreadableStateError
from streams.policies.texts import fits, policy_of

CHANGELOG = "accounts-changelog"
POLICIES = "policies"

UNRESTRICTED = frozenset(
    {Invitation.INVITED, Invitation.UNDELIVERED, Invitation.DELIVERED, Invitation.DECLINED}
)
"""States of an open invitation before a consent, an expiry or an end."""

RESERVED = frozenset({BRAKES, CAPS, GUARDS, CLUSTER, ADOPTED})
"""Changelog keys of a partition's own state, which concerns all of its accounts."""
_DECODERS: dict[bytes, msgspec.msgpack.Decoder[Any]] = {
    BRAKES: msgspec.msgpack.Decoder(Switches),
    CAPS: msgspec.msgpack.Decoder(Caps),
    GUARDS: msgspec.msgpack.Decoder(GuardBook),
    CLUSTER: msgspec.msgpack.Decoder(ClusterChange),
    ADOPTED: msgspec.msgpack.Decoder(dict[str, Adopted]),
}
_S = TypeVar("_S")


class Known(NamedTuple):
    """An account, and the context in which the core would decide about it at an instant."""

    ref: AccountRef
    account: Account
    context: DecisionContext

    def waits_for(self, event: Event, capped: Event | None = None) -> tuple[Deferral, ...]:
        """Returns the grounds that defer an adverse event of the account now.

        `capped`: the event whose cap is checked as well.
        """
        found = deferrals(self.account, self.context, event)
        policy, now, limits = self.context.policy, self.context.now, self.context.limits
        if capped is None or policy is None:
            return tuple(found)
        reached = limits.cap_reached(policy, capped, Mode.ENFORCE, now)
        return (*found, Deferral.CAP) if reached else tuple(found)


class AccountReader:
    """Decodes the accounts of a changelog; one that a later record replaces may be unreadable."""

    def __init__(self) -> None:
        self._unreadable: dict[bytes | None, UnreadableStateError] = {}
        """By key, what is wrong with its latest record."""

    def read(self, record: Record) -> Account | None:
        """Returns the account of the next record; None for a tombstone or an unreadable one."""
        self._unreadable.pop(record.key, None)
        if record.value is None:
            return None
        try:
            return account_of(record)
        except UnreadableStateError as error:
            self._unreadable[record.key] = error
            return None

    def check(self) -> None:
        """Raises UnreadableStateError if the latest record of a key is no account."""
        for error in self._unreadable.values():
            raise error


@dataclass(slots=True)
class States:
    """The state of all accounts. Feed it the changelog and the topic of policies, then query it."""

    _accounts: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    _reader: AccountReader = field(default_factory=AccountReader)
    _reserved: dict[int, dict[bytes, Record]] = field(default_factory=lambda: defaultdict(dict))
    _policies: dict[str, bytes] = field(default_factory=dict)
    partition_count: int = 1
    _parts: dict[tuple[int, int], "Part"] = field(default_factory=dict)
    """What `part` returned before, by partition and number of partitions."""
    _known: dict[str, Policy | None] = field(default_factory=dict)
    """The decoded policies by digest: mostly all partitions have the same."""

    def feed(self, record: Record) -> None:
        """Takes the next record of either topic."""
        if record.key is None:
            return
        if record.topic == POLICIES:
            self._parts.clear()
            self._known.clear()
            digest, text = record.key.decode(errors="replace"), record.value or b""
            if fits(digest, text):
                self._policies[digest] = text
            return
        self.partition_count = max(self.partition_count, record.partition + 1)
        if record.key[:1] in (b"#", b"~"):
            if record.key in RESERVED and record.value is not None:
                self._parts.clear()
                self._reserved[record.partition][record.key] = record
        else:
            account = self._reader.read(record)
            if account is not None and interesting(account) and record.value is not None:
                self._accounts[record.key] = (record.partition, record.value)
            else:
                self._accounts.pop(record.key, None)

    def known(self, now: int) -> Iterator[Known]:
        """Yields every account that an operator may have to act on, as of `now` (ms).

        Raises UnreadableStateError: the latest record of a key is no account.
        """
        self._reader.check()
        for key, (partition, value) in self._accounts.items():
            yield self.of(key, partition, value, now)

    def of(self, key: bytes, partition: int, value: bytes, now: int) -> Known:
        """Returns any account, from its key, partition and changelog value, as of `now` (ms)."""
        ref = AccountRef.of(key)
        return Known(ref, decode_account(value), self.part(partition).context(ref, now))

    def reserved(self, number: int) -> Mapping[bytes, bytes]:
        """Returns the raw changelog values of a partition's own state, by key in RESERVED."""
        own = self._reserved.get(number, {})
        return {key: record.value for key, record in own.items() if record.value is not None}

    def part(self, number: int) -> "Part":
        """Returns a partition's own state, decoded once; the caller does not change it.

        Raises UnreadableStateError. What a later record has replaced is not read.
        """
        place = (number, self.partition_count)
        if place not in self._parts:
            self._parts[place] = self._decoded(number)
        return self._parts[place]

    def _decoded(self, number: int) -> "Part":
        own = self._reserved.get(number, {})
        every = _load(own, ADOPTED, dict[str, Adopted])
        known = {name: it for name, it in every.items() if not it.absent}
        caps = _load(own, CAPS, Caps)
        limits = PartitionLimits(
            number,
            self.partition_count,
            caps,
            _load(own, GUARDS, GuardBook),
            lambda _: 0,
            StepEffects(),
        )
        policies = {name: self._policy(it.digest) for name, it in known.items()}
        switches, cluster = _load(own, BRAKES, Switches), _load(own, CLUSTER, ClusterChange)
        return Part(known, policies, switches, limits, cluster, caps)

    def _policy(self, digest: str) -> Policy | None:
        """Returns the policy of a digest; None if its text is missing or cannot be decoded."""
        if digest not in self._known:
            try:
                self._known[digest] = policy_of(self._policies.get(digest, b""))
            except ValueError:
                self._known[digest] = None
        return self._known[digest]


class Part(NamedTuple):
    """The state of a partition that concerns all of its accounts.

    `adopted`: what it works under, by platform; a platform without a file any more is not in it.
    """

    adopted: dict[str, Adopted]
    policies: dict[str, Policy | None]
    switches: Switches
    limits: PartitionLimits
    cluster: ClusterChange
    caps: Caps

    def context(self, ref: AccountRef, now: int) -> DecisionContext:
        """Returns the context in which the core would decide about an account at `now` (ms)."""
        adopted = self.adopted.get(ref.platform)
        return DecisionContext(
            ref=ref,
            now=now,
            as_of=None,
            time=now,
            policy=self.policies.get(ref.platform),
            policy_since=adopted.since if adopted else 0,
            policy_changed=False,
            switches=self.switches,
            limits=self.limits,
            cluster=self.cluster,
            notices=adopted.notices if adopted else (),
        )


def interesting(account: Account) -> bool:
    """Returns whether an operator may have to act on the account."""
    appeals = account.heard is not None and bool(account.heard.appeals)
    return account.live.state in UNRESTRICTED or appeals or is_unclear(account)


@contextmanager
def readable(record: Record) -> Iterator[None]:
    """Raises UnreadableStateError for an error in decoding the record, which is named."""
    try:
        yield
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadableStateError(record.place, error) from error


def account_of(record: Record) -> Account:
    """Returns the account of a record of the changelog, which has a value.

    Raises UnreadableStateError: the value is no account, or the key is not that of one.
    """
    with readable(record):
        AccountRef.of(record.key or b"")
        return decode_account(record.value or b"")


def check_reserved(key: bytes, value: bytes) -> None:
    """Raises MsgspecError if this is not the value of a key in RESERVED; other keys may be any."""
    if key in _DECODERS:
        _DECODERS[key].decode(value)


def _load(own: dict[bytes, Record], key: bytes, kind: type[_S]) -> _S:
    record = own.get(key)
    if record is None:
        return kind()
    with readable(record):
        return msgspec.msgpack.decode(record.value or b"", type=kind)
