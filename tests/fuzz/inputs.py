"""Records of the input topics: four readers of one record give one verdict, and no name gets out.

The core's fast decoder is held to the contract's models, its short cuts to its full checks, the
auditor and `byline send` to the core.
"""

from typing import Any

from streams.core.inputs.batches import decode_all
from streams.core.inputs.checker import Checker
from streams.core.inputs.checks import Horizon
from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount
from streams.core.inputs.letters import dead_letter, letter_key
from streams.core.inputs.plain import Refusal
from streams.core.partition import Partition
from streams.operate.audit import records as audited
from streams.operate.audit.refusals import RefusalTerms, examine
from streams.operate.audit.terms import read_terms
from streams.operate.send_check import CheckedLine, LineChecker
from tests.contracts.reference import alike
from tests.core.given import PLATFORM, START, Day, GivenRecord, policy
from tests.fuzz.drawn import TRACES, FuzzCase

_POLICY = policy()
_TERMS = read_terms(_POLICY.canonical)
assert _TERMS is not None
_SETTING = RefusalTerms({PLATFORM: _TERMS}, None, require_approvals=True)
_CHECKER = Checker(0, lambda _: 0, {PLATFORM: _POLICY.floor}, require_approvals=True)
NOW = START


class FuzzFinding(AssertionError):
    """A promise that a reader did not keep."""


def hold(true: object, what: str, about: object = "") -> None:
    """Raises `FuzzFinding` unless it is true."""
    if not true:
        raise FuzzFinding(f"{what}: {about!r}" if about != "" else what)


def no_name(written: bytes, where: str) -> None:
    """Raises `FuzzFinding` if the stand-in for a person's name is in what Byline writes."""
    hold(not any(trace in written for trace in TRACES), f"a name gets into {where}", written[:300])


def verdict(case: FuzzCase) -> Refusal | None:
    """Returns why the core refuses a record that is read in full; None if it accepts it."""
    (value,) = decode_all(case.name, [case.record])
    if value is None:
        return _CHECKER.tombstone(case.name, case.record)
    if isinstance(value, Refusal):
        return value
    return _CHECKER.why_not(NOW, case.record, value)


def one_verdict(case: FuzzCase) -> None:
    """Holds all readers of one record to each other."""
    record, refusal = case.record, verdict(case)
    if record.value is not None:
        same, said = alike(case.name, record.value)
        hold(same, f"decoder and contract differ about {said}")
        _sent_alike(case, record.value)
    _short_cuts(case, refusal)
    if case.name != "switches":
        _audited_alike(case, refusal)
    if refusal is not None:
        key = letter_key(case.name, record.key, anonymous=False)
        no_name(key + dead_letter("byline.x", 0, record, refusal, NOW), "a dead letter")


def _short_cuts(case: FuzzCase, refusal: Refusal | None) -> None:
    """What is accepted without the full checks passes them too."""
    (value,) = decode_all(case.name, [case.record])
    if isinstance(value, DecodedFollowerCount | DecodedCategoryChange):
        quick = _CHECKER.good(case.record, value, False, Horizon(NOW))
        hold(not quick or refusal is None, "a short cut accepts what is refused", case)


def _audited_alike(case: FuzzCase, refusal: Refusal | None) -> None:
    """The auditor is of the core's opinion wherever it has one."""
    record = case.record
    judged = examine(
        audited.Record(
            case.name,
            0,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            appended=record.timestamp_type == 1,
        ),
        NOW,
        _SETTING,
        tracked=True,
    )
    if judged.refused is not None:
        what = f"the auditor says refused={judged.refused} ({judged.why}), the core {refusal}"
        hold(judged.refused is (refusal is not None), what, case)


def _sent_alike(case: FuzzCase, raw: bytes) -> None:
    """What `byline send` lets through is accepted by a worker."""
    checker = LineChecker(case.name, [PLATFORM], NOW / 1000, require_approvals=True)
    sent = checker.check(raw)
    if isinstance(sent, CheckedLine):
        record = GivenRecord(0, NOW, sent.key, sent.value)
        refusal = verdict(FuzzCase(case.name, record))
        hold(refusal is None, f"send lets through what a worker refuses, {refusal}", record)
    else:
        no_name(str(sent).encode(), "what send says")


def whole_partition(case: FuzzCase) -> None:
    """Leads an account to an open cycle, and gives its partition the record."""
    day = _led()
    before = len(day.tables.raw)
    record = case.record
    day.partition.step(day.tables, day.now, [(case.name, [_later(record, day.now)])])
    day.partition.before_commit(day.tables, day.now, {case.name: record.offset + 1})
    day.run_timers()
    for topic, key, value, _ in day.tables.raw[before:]:
        no_name((key or b"") + b" " + (value or b""), topic)
    for store in day.tables.state.values():
        for key, value in store.items():
            no_name(key + b" " + value, "the state")


def _later(record: GivenRecord, now: int) -> GivenRecord:
    return record._replace(timestamp=record.timestamp - START + now, offset=record.offset + 10)


_DAY = Day(_POLICY).label("财经").reads(2000).wait(3_600_000).receipt()
_STATE = {name: dict(store) for name, store in _DAY.tables.state.items()}


def _led() -> Day:
    """Returns a partition in which one owner was invited and told; its state is a copy."""
    _DAY.tables.state.clear()
    _DAY.tables.state.update({name: dict(store) for name, store in _STATE.items()})
    _DAY.tables.raw.clear()
    _DAY.tables.outputs.clear()
    _DAY.partition = Partition(_DAY.partition._environment, 0, _DAY.tables, _DAY.now)
    return _DAY


def one_by_one(given: tuple[Any, list[GivenRecord]]) -> None:
    """A batch that is handed over whole is refused as its records are one by one."""
    name, records = given
    # A tombstone of a reading is ignored, whatever its key is; that of a label is judged.
    spoken = [it for it in records if it.value is not None or name != "follower-counts"]
    alone = [verdict(FuzzCase(name, it)) for it in spoken]
    if name == "category-changes":
        labels = _CHECKER.good_labels(NOW, records)
        hold(labels is None or not any(alone), "a batch is accepted with a bad record", given)
        return
    try:
        kept = _CHECKER.candidates(records, frozenset(), [])
        tracked = _CHECKER.candidates(records, {record.key for record in records}, [])
        good = _CHECKER.good_readings(NOW, tracked)
    except Exception as error:
        raise FuzzFinding(f"{error!r}: {given!r}") from error
    hold(not (good and any(alone)), "a batch is accepted with a bad record", given)
    looked = {record.offset for record, _ in kept}
    for record, (value,) in ((it, decode_all(name, [it])) for it in records):
        if value is not None and (isinstance(value, Refusal) or _CHECKER.is_high(value)):  # type: ignore[arg-type]
            hold(record.offset in looked, "a reading that must be looked at is not", given)
