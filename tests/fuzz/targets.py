"""What is fuzzed: how its bytes are drawn, what is asked of it, and its share of a round."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import inputs, readers
from tests.fuzz.drawn import NAMES, batches, cases


class Target(NamedTuple):
    """`check` raises whatever goes wrong. `share`: cases in a round of `ROUND`."""

    strategy: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    share: int


_ANY = st.sampled_from(NAMES).flatmap(cases)
TARGETS: dict[str, Target] = {
    **{name: Target(cases(name), inputs.one_verdict, 900) for name in NAMES},
    "whole partition": Target(_ANY, inputs.whole_partition, 700),
    "batches of records": Target(batches(), inputs.one_by_one, 1_000),
    "Kafka's batches": Target(readers.kafka_batches(), readers.kafka_reader, 900),
    "dead letters": Target(readers.letters(), readers.letters_reader, 400),
    "dead-letters show": Target(_ANY, readers.masking, 500),
    "audit": Target(readers.altered_lives(), readers.auditing, 150),
    "policy files": Target(readers.policy_files(), readers.policy_loader, 50),
}
ROUND = sum(target.share for target in TARGETS.values())


class Outcome(NamedTuple):
    """How many cases were run, and the fault that ended them, if one did."""

    cases: int
    fault: Exception | None


def run(name: str, number: int, count: int, *, smallest: bool = False) -> Outcome:
    """Runs cases of a target. They are a function of `number` and `count`.

    `smallest`: looks for the smallest case that fails; that takes longer.
    """
    target, ran = TARGETS[name], 0

    def one(case: Any) -> None:
        nonlocal ran
        ran += 1
        target.check(case)

    phases = (Phase.generate, Phase.shrink) if smallest else (Phase.generate,)
    limits = settings(
        max_examples=count,
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        seed(number)(limits(given(target.strategy)(one)))()
    except Exception as error:
        return Outcome(ran, error)
    return Outcome(ran, None)
