"""A platform whose file is taken away, and put back, is told in the log, and replay follows it."""

import asyncio
import json

from schemas.inputs import INPUT_MODELS
from schemas.topics import DECISIONS
from streams.core.partition import Partition
from streams.replay.following import TRANSACTION, Replay
from streams.replay.records import RecordsInMemory
from streams.replay.tables import ReplayTables
from tests.replay.test_pieces import AT, _environment, _Logged, _reading


def test_replay_follows_a_platform_whose_file_goes_and_comes_back() -> None:
    whole, tables = _environment(), ReplayTables()
    fewer = whole._replace(
        policies={name: it for name, it in whole.policies.items() if name != "weibo"}
    )
    readings = [_reading(number, f"high{number}", 10_000_000) for number in range(4)]
    for number, environment in enumerate((whole, fewer, fewer, whole)):
        now = AT + 1_000 * number
        core = Partition(environment, 0, tables, now)
        core.take_up(tables, now)
        core.step(tables, now, [("follower-counts", [readings[number]])])
        core.before_commit(tables, now, {"byline.follower-counts": number + 1})
    log = [it for it in tables.sent if it.topic == DECISIONS.name]
    told = [json.loads(it.value or b"") for it in log]
    named = [set(it["policies"]) for it in told if it["kind"] == "policies"]
    assert named == [set(whole.policies), set(fewer.policies), set(whole.policies)]

    sources = {name: RecordsInMemory(()) for name in INPUT_MODELS}
    sources["follower-counts"] = RecordsInMemory(readings)
    texts = {it.digest: it.canonical for it in whole.policies.values()}
    replay = Replay(whole._replace(policies={}), 0, sources, texts)
    records = [_Logged(offset, it.key, it.value) for offset, it in enumerate(log)]
    sent, begin = [], 0
    for place, record in enumerate(records):
        if record.key == TRANSACTION:
            sent += asyncio.run(replay.transaction(records[begin : place + 1]))
            begin = place + 1
    assert sent == tables.sent
    assert sum(it.topic == "dead-letters" for it in sent) == 2
    assert replay.state == tables.state
