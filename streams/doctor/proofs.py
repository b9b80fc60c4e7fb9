"""The doctor's looks at what runs: the policies in force, and the last result of the auditor."""

import asyncio
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from streams.core.model.instants import rfc3339
from streams.doctor.looks import Finding, Verdict, well, wrong
from streams.operate.account_states import States
from streams.operate.errors import OperateError
from streams.operate.policy_running import SAYS, Runs, compare
from streams.policies import PolicyFaults, load_policies
from streams.settings import Settings

SILENT_MS = 600_000
"""An auditor that has not read the log to its end for longer (ms) is taken to have stopped."""
BREACHES, JUDGED_AT = "byline_audit_breaches_total", "byline_audit_judged_timestamp_seconds"
AS_OF = "byline_audit_as_of_timestamp_seconds"
"""The metric with the time up to which the auditor has read the log; absent in its first pass."""
_SECONDS = 5.0


def policies_against_running(
    settings: Settings, source: str, states: States, late: bool
) -> Iterator[Finding]:
    """Compares each policy file with what the partitions work under.

    `source`: the sentence on where `states` comes from. `late`: that is behind, so that it cannot
    show that all is well.
    """
    try:
        files = load_policies(settings.policies, require_approvals=False)
    except PolicyFaults:
        words = "the files are refused, see above: they cannot be compared with what runs"
        yield Finding(Verdict.FAILED, words, "`byline policy check` names each fault")
        return
    found = compare(states, files)
    if not any(it.running for it in found):
        words = f"no worker has taken up any policy yet ({source})"
        yield Finding(Verdict.UNKNOWN, words, "start `byline worker`")
        return
    differing = [it for it in found if it.runs is not Runs.SAME]
    for it in differing:
        cure = "`byline policy check --running` says what the file would change"
        yield wrong(f"{it.platform}: {SAYS[it.runs]}", cure)
    if not differing and late:
        words = f"each partition worked under the files here, and the index is behind ({source})"
        yield Finding(Verdict.UNKNOWN, words, "`byline policy check --running --kafka` asks Kafka")
    elif not differing:
        yield well(f"each partition works under the files here ({source})")


def last_audit(url: str | None, now: int) -> Iterator[Finding]:
    """Reads the metrics of `byline audit --follow` at `url`. `now`: ms. Raises OperateError.

    An audit leaves no trace in Kafka, so there is no other way to know its result.
    """
    if url is None:
        yield Finding(
            Verdict.UNKNOWN,
            "an audit leaves no trace in Kafka",
            "`byline audit` judges all there is now; name the page of one that goes on"
            " (`byline audit --follow`) with --auditor http://HOST:9465/metrics",
        )
        return
    from aiohttp import ClientError

    try:
        values = _sums(asyncio.run(_page(url)))
    except (ClientError, TimeoutError, OSError, ValueError) as error:
        raise OperateError(
            f"no auditor answers at {url} ({type(error).__name__}): is `byline audit --follow`"
            " running, and reachable from here?"
        ) from error
    judged_ms = round(1000 * values.get(JUDGED_AT, 0))
    if BREACHES not in values or JUDGED_AT not in values:
        yield wrong(f"what answers at {url} is no auditor", "--auditor names its /metrics")
    elif values[BREACHES]:
        words = f"the auditor at {url} found {values[BREACHES]:.0f} breaches since it began"
        yield wrong(words, "`byline audit` names each, with its records; adverse-off stops more")
    elif AS_OF not in values:
        words = f"the auditor at {url} has not read all of the log yet, and found no breach so far"
        yield Finding(Verdict.UNKNOWN, words, "ask again when it has")
    elif now - round(1000 * values[AS_OF]) > SILENT_MS:
        read = rfc3339(round(1000 * values[AS_OF]))
        words = f"the auditor at {url} has not read the log to its end since {read}"
        yield wrong(words, "its own log says what holds it; start it again")
    elif judged_ms == 0:
        yield Finding(Verdict.UNKNOWN, f"the auditor at {url} has judged no decision yet")
    else:
        yield well(f"no breach up to {rfc3339(judged_ms)}, says {url}")


async def _page(url: str) -> str:
    from aiohttp import ClientSession, ClientTimeout

    async with (
        ClientSession(timeout=ClientTimeout(_SECONDS)) as session,
        session.get(url) as answer,
    ):
        answer.raise_for_status()
        return await answer.text()


def _sums(text: str) -> dict[str, float]:
    """Returns each metric of a page, added up over its labels."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
