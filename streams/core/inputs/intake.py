"""Turns records into inputs. A refused record becomes a dead letter and counts for the guard.

The guard is the refusal guard (refusal_guard.py). Refusing never stops a partition. `before`: in a
rescan, records below this offset were read before; such a record is refused without a second dead
letter, and counts neither as good nor as bad. A *word* is a record in which somebody says something
about an account. A *tracked* account is one whose state is kept.
"""

from collections.abc import Callable, Iterator

from schemas.enums import Refused
from schemas.inputs import InputName
from streams.core.inputs.batches import UnreadableBatch, decode_all, sampled
from streams.core.inputs.checker import Checker
from streams.core.inputs.checks import Horizon, valid_key
from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount, Value
from streams.core.inputs.entry import entry_of
from streams.core.inputs.letters import HEADERS, dead_letter, disagrees, letter_key
from streams.core.inputs.plain import Refusal
from streams.core.inputs.refusal_guard import RefusalGuard, Trip, Uncertain, platform_of
from streams.core.model.ports import ACCOUNTS, InputRecord, Records, Transaction
from streams.core.model.step_effects import StepEffects

WORDS_OF_PEOPLE: frozenset[InputName] = frozenset(
    {"consent-answers", "account-changes", "controls"}
)
"""Topics whose records may protect an owner; a refused one must not be ignored."""

UnclearWord = Callable[[Transaction, int, str, bytes, int, int], None]
"""Called with a refused input of a certain account: transaction, now, topic, key, entry, offset.

`now` and `entry` (when the record was appended to Kafka) are milliseconds UTC.
"""


class Intake:
    """Checks the records of one partition, and refuses the bad ones.

    `effects` counts dead letters. `on_unclear` is called with each refused word whose account is
    certain. `full_name` adds the prefix to a topic's name. `id_key`: the setting `ID_KEY`, for the
    digests in dead letters.
    """

    def __init__(
        self,
        partition: int,
        checker: Checker,
        full_name: Callable[[str], str],
        guard: RefusalGuard,
        effects: StepEffects,
        on_unclear: UnclearWord,
        id_key: bytes | None = None,
    ) -> None:
        self._partition = partition
        self._checker = checker
        self._full_name = full_name
        self._guard = guard
        self._effects = effects
        self._on_unclear = on_unclear
        self._id_key = id_key

    def readings(
        self, transaction: Transaction, now: int, records: Records, before: int = 0
    ) -> list[tuple[InputRecord, DecodedFollowerCount]]:
        """Returns the accepted readings at or above the floor or of a tracked account.

        Any other reading is dropped after decoding and a look-up, unless it is in the sample: then
        it is checked, and refused if it is bad.
        """
        records = transaction.sift(records, self._checker.floors)
        if not records:
            return []
        tracked = transaction.present(ACCOUNTS, [record.key for record in records])
        sample = sampled(records)
        looked_at = {record.offset for record in sample}
        kept: list[tuple[InputRecord, DecodedFollowerCount]] = []
        checker, horizon = self._checker, Horizon(now)
        is_high, is_good = checker.is_high, checker.good
        counting = self._guard.counts("follower-counts")
        pairs = checker.candidates(records, tracked, sample)
        all_good = {record.key for record, _ in pairs} <= tracked and checker.good_readings(
            now, pairs
        )
        if all_good and not counting:
            return pairs  # type: ignore[return-value]
        for record, value in pairs:
            refusal: Refusal | None
            keep = True
            if isinstance(value, Refusal):
                refusal = value
            else:
                known = record.key in tracked
                keep = known or is_high(value)
                if not keep and record.offset not in looked_at:
                    continue
                good = is_good(record, value, known, horizon)
                refusal = None if good else checker.why_not(now, record, value)
            if refusal is not None:
                if record.offset >= before:
                    self._refuse(transaction, now, "follower-counts", record, refusal, not keep)
                    counting = self._guard.counts("follower-counts")
                continue
            if counting and record.offset >= before:
                self._guard.good("follower-counts", record.key)
            if keep:
                kept.append((record, value))  # type: ignore[arg-type]
                if not known:
                    # The account becomes tracked, also for the later readings of this batch.
                    tracked.add(record.key)
        return kept

    def inputs(
        self, transaction: Transaction, now: int, name: InputName, records: Records, before: int = 0
    ) -> Iterator[tuple[InputRecord, Value | None]]:
        """Yields the accepted records of any other topic with their values; None for a tombstone.

        Refuses bad records on the way.
        """
        if name == "category-changes" and records and not self._guard.counts(name):
            labels = self._checker.good_labels(now, records)
            if labels is not None:
                return zip(records, labels, strict=True)
        return self._one_by_one(transaction, now, name, records, before)

    def _one_by_one(
        self, transaction: Transaction, now: int, name: InputName, records: Records, before: int
    ) -> Iterator[tuple[InputRecord, Value | None]]:
        horizon = Horizon(now)
        for record, value in zip(records, decode_all(name, records), strict=True):
            refusal: Refusal | None
            if value is None:
                refusal = self._checker.tombstone(name, record)
            elif isinstance(value, Refusal):
                refusal = value
            elif type(value) is DecodedCategoryChange and self._checker.good(
                record, value, False, horizon
            ):
                refusal = None
            else:
                refusal = self._checker.why_not(now, record, value)
            if refusal is None:
                assert not isinstance(value, Refusal)
                if record.offset >= before:
                    self._guard.good(name, record.key)
                yield record, value
            elif record.offset >= before:
                self._refuse(transaction, now, name, record, refusal)

    def _refuse(
        self,
        transaction: Transaction,
        now: int,
        name: InputName,
        record: InputRecord,
        refusal: Refusal,
        anonymous: bool = False,
    ) -> None:
        """Writes a dead letter for a record, and counts the refusal.

        Every partition reads `switches`; only partition 0 refuses its records. `anonymous`: the
        letter has the digest of the key.
        """
        if name == "switches" and self._partition != 0:
            return
        letter = dead_letter(
            self._full_name(name), self._partition, record, refusal, now, self._id_key
        )
        key = letter_key(name, record.key, anonymous, self._id_key)
        transaction.send("dead-letters", key, letter, HEADERS)
        self._effects.counts["dead_letters", name, refusal.reason] += 1
        self._effects.commit_soon = self._effects.state_changed = True
        if refusal.reason is Refused.NOT_APPROVED:
            self._guard.good(name, record.key)
            return
        count = record.record_count if isinstance(record, UnreadableBatch) else 1
        trip = Trip("", refusal.reason, count, name, record.offset)
        self._guard.refused(transaction, now, name, record.key, trip)
        if name in WORDS_OF_PEOPLE:
            self._refuse_word(transaction, now, name, record, refusal.reason)

    def _refuse_word(
        self,
        transaction: Transaction,
        now: int,
        name: InputName,
        record: InputRecord,
        reason: Refused,
    ) -> None:
        """Protects owners against a refused word.

        If its account is certain, the word is unclear for that account; else the guard trips.
        """
        key, entry = record.key, entry_of(record, now)
        if key is not None and valid_key(name, key) and not disagrees(key, record.value):
            if not self._checker.knows(platform_of(key)):
                return
            if self._checker.is_here(key):
                self._on_unclear(transaction, now, name, key, entry, record.offset)
                return
        word = Uncertain(entry, reason, name, record.offset)
        self._guard.uncertain(transaction, now, key, word)
