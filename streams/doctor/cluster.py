"""The doctor's looks at the cluster: brokers, rights, topics, state, clock, open transactions."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from aiokafka.errors import ClusterAuthorizationFailedError, IncompatibleBrokerVersion

from schemas.topics import CHANGELOGS, INPUTS
from streams import upkeep
from streams.doctor.looks import SEE_MORE, Finding, Verdict, well, wrong
from streams.kafka.login import knock
from streams.kafka.requests.metadata import NOT_ASKED, OPERATIONS, View, view_topics
from streams.kafka.requests.quorum import cluster_time
from streams.kafka.rights import in_words
from streams.operate import topics
from streams.operate.acl import Permission, permissions
from streams.operate.blocked import blocked
from streams.operate.clients import admin_client
from streams.operate.role_rights import rights_of
from streams.settings import Settings, kafka_client_kwargs

BLOCKED_SECONDS = 10.0
"""A transaction that is open for longer is reported; a worker's lasts a second or two."""
SKEW_SECONDS = 10.0
"""The largest accepted difference of clocks: a worker ends itself if its clock jumps by more."""


NOT_REACHED = Finding(Verdict.UNKNOWN, "not looked at: Kafka was not reached")
"""The finding of each look that needs Kafka, if Kafka does not answer."""


class Reached(NamedTuple):
    """The findings, and how many partitions the keyed topics have; None: there are none yet."""

    partitions: int | None
    findings: list[Finding]


async def reach(settings: Settings) -> Reached:
    """Logs in, and connects to each broker at the address that it advertises.

    Raises OperateError.
    """
    names, arguments = topics.names_of(settings), kafka_client_kwargs(settings)
    async with admin_client(settings) as client:
        described = await client.describe_cluster()
        name = names.of(CHANGELOGS[0])
        view = await view_topics(client._client, [name])
    found = []
    for broker in described["brokers"]:
        address = f"{broker['host']}:{broker['port']}"
        answer = await knock({**arguments, "bootstrap_servers": [address]})
        if why := answer.fault or answer.silence:
            found.append(
                wrong(
                    f"broker {broker['node_id']} at {address}: {why}",
                    "this address is what the broker gives itself (advertised.listeners): it has"
                    " to be reached from here",
                )
            )
    count = len(described["brokers"])
    topic = view.topics.get(name)
    partitions = topic.partitions if topic is not None and not topic.error else None
    said = well(f"cluster {view.cluster_id}; brokers reached: {count}")
    return Reached(partitions, found or [said])


async def rights(settings: Settings, role: str) -> list[Finding]:
    """Checks that this principal has the rights that `byline topics acl` lists for a role.

    Raises OperateError.
    """
    mine = [it for it in permissions(settings) if it.role == role]
    async with admin_client(settings) as client:
        view, there, missing = await rights_of(client, mine)
    if missing:
        # The rights on a missing topic are not known; another look reports that it is missing.
        cure = f"`byline topics acl --role {role} --commands` prints what grants it"
        return [wrong(in_words({op: names}), cure) for op, names in missing.items()]
    return _all_allowed(settings.kafka_sasl_username or "this principal", role, mine, view, there)


def _all_allowed(
    who: str,
    role: str,
    mine: Sequence[Permission],
    view: View,
    there: Mapping[str, Sequence[str]],
) -> list[Finding]:
    """Returns that nothing asked for is missing, and what could not be asked for."""
    silent = any(view.topics[name].operations == NOT_ASKED for name in there)
    unasked = [
        f"{operation} the topics {it.name}…" if it.prefixed else f"{operation} {it.name}"
        for it in mine
        for operation in it.operations
        if it.kind == "topic" and (it.prefixed or operation not in OPERATIONS)
    ]
    if len(there) < sum(it.kind == "topic" and not it.prefixed for it in mine):
        unasked.append("use the topics that are missing")
    if silent:
        unasked.append("use its topics, of which this Kafka is too old to tell")
    found = []
    if not silent and (there or any(it.kind != "topic" for it in mine)):
        less = ", as far as that can be asked for" if unasked else ""
        found.append(well(f"{who} may do what the role {role} needs{less}"))
    if unasked:
        words = f"not known: whether {who} may {', '.join(unasked)}"
        found.append(
            Finding(Verdict.UNKNOWN, words, "the commands that need it name what is refused")
        )
    return found


async def topics_and_settings(settings: Settings) -> list[Finding]:
    """Checks every topic and its settings. Raises OperateError."""
    found = []
    for it in await topics.check(settings):
        if it.is_hidden:
            # Only the administrator sees all. The check `rights` reports what our role lacks.
            found.append(Finding(Verdict.UNKNOWN, str(it), SEE_MORE))
        elif it.what == "missing":
            found.append(wrong(str(it), "`byline topics create` makes it"))
        elif it.is_setting:
            found.append(wrong(str(it), "`byline topics apply` sets it; --dry-run says it first"))
        else:
            found.append(wrong(str(it), "`byline cluster check` says the way out"))
    return found or [well("all topics are there, with the settings that are needed")]


async def state(settings: Settings) -> list[Finding]:
    """Checks that the state was built from these topics. Another look reports missing topics."""
    found = [it for it in await upkeep.check(settings) if it.what != "missing"]
    told = [wrong(f"{it.topic}: {it.what}", it.way_out) for it in found]
    return told or [well("the state and the topics belong together")]


async def clock(settings: Settings, now: Callable[[], int]) -> list[Finding]:
    """Compares this machine's clock (`now`, ms) with the cluster's. Raises OperateError."""
    async with admin_client(settings) as client:
        try:
            cluster = await cluster_time(client._client)
        except ClusterAuthorizationFailedError:
            return [
                Finding(
                    Verdict.UNKNOWN,
                    "no right to Describe the cluster, whose clock is asked for",
                    "grant it to who runs this (kafka-acls --operation Describe --cluster), or"
                    " compare by hand; a worker judges deadlines by its own clock",
                )
            ]
        except IncompatibleBrokerVersion:
            cluster = None
        here = now()
    if cluster is None:
        words = "this Kafka does not tell its time: it is older than 3.3, or not KRaft"
        return [Finding(Verdict.UNKNOWN, words, "compare the clocks of both machines by hand")]
    # The cluster read its clock between the request and now; the difference is that uncertain.
    difference = here - cluster.at_ms
    off = difference if difference < 0 else max(0, difference - cluster.took_ms)
    if abs(off) > 1000 * SKEW_SECONDS:
        way = "ahead of" if off > 0 else "behind"
        return [
            wrong(
                f"this machine's clock is {abs(off) / 1000:,.1f} s {way} the cluster's",
                "set the clocks of both by NTP; workers judge deadlines by theirs, and Kafka says"
                " when a record entered",
            )
        ]
    return [well(f"{abs(off) / 1000:.1f} s from the cluster's clock")]


async def transactions(settings: Settings, now: int) -> list[Finding]:
    """Finds open transactions that hide inputs or state, and says how to end them.

    Raises OperateError.
    """
    found = await blocked(settings, now, BLOCKED_SECONDS, (*INPUTS, *CHANGELOGS))
    told = [
        wrong(it.what, f"{_ending(it.ends_within_seconds)}: {it.abort_command(_servers(settings))}")
        for it in found
    ]
    return told or [well(f"none has been open for {BLOCKED_SECONDS:.0f} s")]


def _ending(within_seconds: float | None) -> str:
    if within_seconds is None:
        return "no coordinator that we may ask knows it. End its producer; if it stays"
    return f"Kafka ends it by itself within {within_seconds:.0f} s. Sooner: end its producer, then"


def _servers(settings: Settings) -> str:
    return settings.kafka_bootstrap_servers
