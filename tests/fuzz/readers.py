"""Readers of bytes that others wrote: batches of Kafka, dead letters, the audit's, policy files."""

import json
import struct
import tempfile
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c
from hypothesis import strategies as st

from schemas.examples import record_examples
from schemas.topics import DEAD_LETTERS, DECISIONS, POLICIES
from streams.core.inputs.letters import dead_letter, letter_key
from streams.core.inputs.plain import Refusal
from streams.kafka.batches import PlainRecord, read_tolerant
from streams.kafka.stretches import KeptRecords, Taking, install
from streams.letters import masked
from streams.letters.origins import Found
from streams.letters.reading import Letters
from streams.operate.audit.auditor import Auditor, audit
from streams.operate.audit.chain import verify
from streams.operate.audit.records import Record
from streams.policies import PolicyFaults, load_policy
from tests.core.given import Day, policy
from tests.engine import batches
from tests.fuzz.drawn import CANARY, FuzzCase, damaged
from tests.fuzz.inputs import NOW, hold, no_name, verdict
from tests.policies.given import GOOD, HERE, SHIPPED

# ---- batches of Kafka ----------------------------------------------------------------------------

_HEAD = struct.Struct(">qiibI")
_BODY = _HEAD.size
_CODEC_AND_COUNTS = ((0, 2), (36, 40))
"""Where the attributes and the number of records stand, behind the checksum."""
_CONTROL, _CODECS = 0x20, 0x07


@st.composite
def kafka_batches(draw: st.DrawFn) -> tuple[list[bytes], str, bytes]:
    """Records, their codec, and a batch of them whose bytes are damaged but for length and CRC."""
    text = st.binary(max_size=12)
    headers = st.lists(st.tuples(text, text), max_size=2)
    rows = draw(st.lists(st.tuples(text | st.none(), text | st.none(), headers), max_size=4))
    records = [batches.record(at, *row) for at, row in enumerate(rows)]
    codec = draw(st.sampled_from(batches.CODECS))
    sound = batches.batch(records, codec)
    body = bytearray(sound[_BODY:])
    if draw(st.booleans()):
        body[40:] = draw(damaged(bytes(body[40:])))
    for start, end in _CODEC_AND_COUNTS if draw(st.integers(0, 3)) == 0 else ():
        body[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
    # A broker takes no control batch (transaction marker) from a client.
    body[1] &= ~_CONTROL & 0xFF
    head = _HEAD.pack(0, len(body) + 9, -1, 2, calc_crc32c(bytes(body)))
    return records, codec, head + bytes(body)


def kafka_reader(given: tuple[list[bytes], str, bytes]) -> None:
    """Bytes of a producer never stop the reader: each offset is read, or said to be unreadable."""
    install()
    records, codec, raw = given
    pending = PartitionRecords(
        TopicPartition("t", 0), KeptRecords(raw), [], 0, None, None, True, READ_COMMITTED
    )
    kept = pending._records
    numbered, end = _numbered(raw), 0
    while kept.more:
        taking = Taking(pending, 3, keep_headers=False)
        try:
            taking.run()
        except CorruptRecordException:
            return
        spans = [(it.offset, it.offset) for it in taking.records]
        spans += [(it.first, it.last) for it in taking.unreadable]
        for first, last in sorted(spans) if numbered else ():
            hold(end <= first <= last, "offsets are read twice or backwards", (end, first, raw))
            end = last + 1
        hold(pending.next_fetch_offset >= end, "the position is behind what was read", raw)
    if raw == batches.batch(records, codec) and records:
        both = _compiled(raw)
        same = both is None or list(read_tolerant(raw, 100).records) == both
        hold(same, "two readers differ", raw)


def _numbered(raw: bytes) -> bool:
    """Whether a broker could have taken a batch as its records are numbered.

    It looks into compressed batches alone (`LogValidator.validateRecord`): there any number but the
    next one is refused, as Kafka 4.2.0 did with each codec when it was tried.
    """
    if raw[_BODY + 1] & _CODECS == 0:
        return True
    try:
        read_tolerant(raw, 1)
    except Exception:
        return False
    return True


def _compiled(raw: bytes) -> list[PlainRecord] | None:
    """What aiokafka's own reader makes of a batch; None: a header name is not UTF-8."""
    try:
        return [
            PlainRecord(it.offset, it.timestamp, it.timestamp_type, it.key, it.value)
            for it in KeptRecords(raw).next_batch()
        ]
    except UnicodeDecodeError:
        return None


# ---- dead letters --------------------------------------------------------------------------------


@st.composite
def letters(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Key and value of a record in the topic of dead letters."""
    example = draw(st.sampled_from([*_LETTER_EXAMPLES.values()]))
    raw = json.dumps(example).encode()
    key = draw(st.sampled_from([b"weibo:a1", b"", b"\xff", b"0" * 64]))
    return key, draw(damaged(raw)) if draw(st.booleans()) else raw


_LETTER_EXAMPLES = record_examples()["dead-letter"] | record_examples()["settlement"]


def letters_reader(given: tuple[bytes, bytes]) -> None:
    """What stands in the topic of dead letters never stops `dead-letters list`, nor the auditor."""
    record = Record(DEAD_LETTERS.name, 0, 0, NOW, *given)
    Letters("byline.").feed(record)
    audit([record])


def masking(case: FuzzCase) -> None:
    """`dead-letters show` shows no name of a refused record."""
    record, refusal = case.record, verdict(case)
    refusal = refusal or Refusal("bad_id")  # type: ignore[arg-type]
    raw = dead_letter(f"byline.{case.name}", 0, record, refusal, NOW)
    known = Letters("byline.")
    key = letter_key(case.name, record.key, anonymous=False)
    known.feed(Record(DEAD_LETTERS.name, 0, 0, NOW, key, raw))
    for letter in known._letters.values():
        shown = masked.masked(Found(letter, record.key, record.value, ((CANARY, b"x"),)))
        no_name(json.dumps(shown, ensure_ascii=False).encode(), "what `dead-letters show` shows")


# ---- the audit -----------------------------------------------------------------------------------


def _life() -> list[Record]:
    """A life that was led to a restriction and a lift, as its topics hold it."""
    present = policy()
    day = Day(present).label("财经").reads(2000).wait(3_600_000).receipt()
    day.wait(4 * 86_400_000).answer("granted").wait(1000)
    found = [Record(POLICIES.name, 0, 0, NOW, present.digest.encode(), present.canonical)]
    places: dict[str, int] = {}
    for topic, key, value, headers in day.tables.raw:
        offset = places.setdefault(topic, 0)
        places[topic] += 1
        found.append(Record(topic, 0, offset, NOW, key, value, headers, appended=True))
    return found


_LIFE = _life()
_LOG = [place for place, it in enumerate(_LIFE) if it.topic == DECISIONS.name]


@st.composite
def altered_lives(draw: st.DrawFn) -> list[Record]:
    """The life's records, one of them changed: damaged, or with another value in a field."""
    place = draw(st.integers(0, len(_LIFE) - 1))
    it = _LIFE[place]
    assert it.value is not None
    value: bytes | None = it.value
    if draw(st.booleans()):
        plain = json.loads(it.value)
        odd = st.sampled_from([None, "", "x", -1, 1 << 70, 0.5, [], {}, True, "9999-12-31T23:59Z"])
        field = draw(st.sampled_from(sorted(plain)))
        inner = plain[field]
        if isinstance(inner, dict) and inner and draw(st.booleans()):
            inner[draw(st.sampled_from(sorted(inner)))] = draw(odd)
        else:
            plain[field] = draw(odd)
        # As the log writes it, so that the form alone does not give the change away.
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        value = text.encode()
    elif draw(st.integers(0, 9)):
        value = draw(damaged(it.value))
    else:
        value = None
    return [*_LIFE[:place], it._replace(value=value), *_LIFE[place + 1 :]]


def auditing(given: list[Record]) -> None:
    """No record that anybody writes stops the auditor, and no change of the log goes unseen."""
    auditor = Auditor()
    for record in given:
        auditor.feed(record)
    found = auditor.finish()
    breaks = verify([it for it in given if it.topic == DECISIONS.name])
    for place in _LOG:
        if given[place].value != _LIFE[place].value:
            hold(breaks, "the chain holds although the log was changed", given[place].value)
            hold(found, "the auditor finds nothing although the log was changed", given[place])


# ---- policy files --------------------------------------------------------------------------------

_FILES = [GOOD, *(it.read_text() for it in sorted(SHIPPED.glob("*.yaml")))]
_FILES += [it.read_text(errors="replace") for it in sorted((HERE / "bad").rglob("*.yaml"))]
_FOLDER = Path(tempfile.mkdtemp(prefix="byline-fuzz-"))


@st.composite
def policy_files(draw: st.DrawFn) -> bytes:
    """A policy file with words exchanged, or with damaged bytes; of at most 256 KiB."""
    text = draw(st.sampled_from(_FILES))
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(lines) - 1, 0)))
        how = draw(st.integers(0, 3)) if lines else 3
        if how == 0:
            others = draw(st.sampled_from(_FILES)).splitlines(keepends=True)
            lines[at] = others[at % len(others)] if others else ""
        elif how == 1:
            name = lines[at].partition(":")[0]
            odd = ["", "null", "[]", "{}", "-1", "1e999", "&a [*a]", "!!python/x", "P1D", '"\\ud8"']
            lines[at] = f"{name}: {draw(st.sampled_from(odd))}\n"
        elif how == 2:
            lines[at] = lines[at] * draw(st.integers(0, 3))
        else:
            lines.insert(at, f"{draw(st.text(max_size=5))}: {CANARY}\n")
    raw = "".join(lines).encode("utf-8", "surrogatepass")
    return draw(damaged(raw)) if draw(st.booleans()) else raw


def policy_loader(raw: bytes) -> None:
    """A policy file is loaded, or refused with every fault; and is then the same once more."""
    file = _FOLDER / "weibo.yaml"
    file.write_bytes(raw)
    try:
        found = load_policy(file, now=NOW)
    except PolicyFaults as refused:
        hold(refused.faults, "refused without a fault", raw)
        for fault in refused.faults:
            hold(fault.line >= 1 and fault.message and fault.fix, "a fault says too little", raw)
        return
    hold(load_policy(file).digest == found.digest, "the digest is another", raw)
