"""What is fuzzed: how its bytes are drawn, what is asked of it, and its share of a round."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import inputs, readers
from tests.fuzz.drawn import NAMES, NEAR, FuzzCase, batches, cases, near


class Target(NamedTuple):
    """`check` raises whatever goes wrong. `share`: cases in a round of `ROUND`."""

    strategy: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    share: int


def _near(case: Any) -> Iterable[Any]:
    return near(case) if isinstance(case, FuzzCase) else (case,)


_ANY = st.sampled_from(NAMES).flatmap(cases)
TARGETS: dict[str, Target] = {
    **{name: Target(cases(name), inputs.one_verdict, 1_056) for name in NAMES},
    "whole partition": Target(_ANY, inputs.whole_partition, 800),
    "batches of records": Target(batches(), inputs.one_by_one, 400),
    "Kafka's batches": Target(readers.kafka_batches(), readers.kafka_reader, 400),
    "dead letters": Target(readers.letters(), readers.letters_reader, 300),
    "dead-letters show": Target(_ANY, readers.masking, 480),
    "audit": Target(readers.altered_lives(), readers.auditing, 150),
    "policy files": Target(readers.policy_files(), readers.policy_loader, 78),
}
OF_RECORDS = {*NAMES, "whole partition", "dead-letters show"}
"""Targets of which each case that is drawn brings others near to it."""
ROUND = sum(target.share for target in TARGETS.values())


class FuzzOutcome(NamedTuple):
    """How many cases were run, and the fault that ended them, if one did."""

    cases: int
    fault: Exception | None


def run(name: str, number: int, count: int, *, smallest: bool = False) -> FuzzOutcome:
    """Runs cases of a target. They are a function of `number` and `count`.

    `smallest`: looks for the smallest case that fails; that takes longer.
    """
    target, ran = TARGETS[name], 0
    drawn = count // NEAR if name in OF_RECORDS else count

    def one(case: Any) -> None:
        nonlocal ran
        for it in _near(case):
            ran += 1
            target.check(it)

    phases = (Phase.generate, Phase.shrink) if smallest else (Phase.generate,)
    limits = settings(
        max_examples=max(drawn, 1),
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        seed(number)(limits(given(target.strategy)(one)))()
    except Exception as error:
        return FuzzOutcome(ran, error)
    return FuzzOutcome(ran, None)
