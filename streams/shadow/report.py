"""Makes the shadow report: counts of shadow and live, what `enforce` would do, and a backtest.

It reads the index. The policy is that of the file here, or the running one if there is no file or
an older one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from streams.core.model.instants import DAY, rfc3339
from streams.core.model.policy import Policy
from streams.index.fresh import Fresh
from streams.index.overview import overview
from streams.index.states import feed_beside, partition_count
from streams.operate.account_states import States
from streams.shadow.against import BacktestReport, Compared, against
from streams.shadow.said import ShadowCounts, said, unproven
from streams.shadow.trial import Trial, in_shadow, tried

ASSESSMENT = "impact_assessment"
"""The only fact whose absence from a policy does not change who would be restricted."""


@dataclass(slots=True)
class ShadowReport:
    """The report on one platform.

    `on_disk`: the policy is that of the file; else the running one. `said`: what was published.
    `trial`: what `enforce` would do; None: nothing of the platform is in shadow. `told`: how many
    accounts that the trial restricts ever got a live notice; `unproven`: for how many of these the
    newest notice has no proof of delivery. `notes`: what else may change the numbers, as sentences.
    """

    policy: Policy
    on_disk: bool
    said: ShadowCounts
    trial: Trial | None = None
    told: int = 0
    unproven: int = 0
    notes: list[str] = field(default_factory=list)
    backtests: list[Compared] = field(default_factory=list)

    @property
    def platform(self) -> str:
        """The platform of the policy."""
        return self.policy.platform

    @property
    def differs(self) -> bool:
        """Whether any count of shadow and backtest differs, or may once the index is complete."""
        return any(it.differs or not it.reaches for it in self.backtests)

    def sentence(self) -> str:
        """Says in one sentence what an operator has to know before switching to enforce."""
        name, trial = self.platform, self.trial
        if trial is None:
            return f"Nothing of {name} is in shadow: there is nothing to switch."
        if trial.refused is not None:
            return f"{name} cannot be switched to enforce: {trial.refused}."
        missing = self.policy.missing_for_enforce
        would = _would(self, with_restrictions=set(missing) <= {ASSESSMENT})
        if missing:
            named = ", ".join(missing)
            return (
                f"{name} cannot be switched to enforce yet, its policy lacks {named}; it {would}."
            )
        return f"Switching {name} to enforce now {would}."

    def as_dict(self) -> dict[str, Any]:
        """Returns the report as JSON of `byline shadow report --json`."""
        return {
            "platform": self.platform,
            "version": self.policy.version,
            "digest": self.policy.digest,
            "mode": self.policy.mode,
            "policy": "file" if self.on_disk else "running",
            "sentence": self.sentence(),
            "said": self.said.as_dict(),
            "enforce": self._enforce(),
            "notes": self.notes,
            "backtests": [it.as_dict() for it in self.backtests],
        }

    def _enforce(self) -> dict[str, Any] | None:
        trial = self.trial
        if trial is None:
            return None
        return {
            "missing": list(self.policy.missing_for_enforce),
            "refused": trial.refused,
            "invited": len(trial.invited),
            "restricted": len(trial.restricted),
            "surfaces": trial.surfaces,
            "without_proof_of_delivery": self.unproven,
            "never_sent_a_notice": len(trial.restricted) - self.told,
            "first_restriction_at": None if trial.first_at is None else rfc3339(trial.first_at),
            "stale": trial.stale,
            "unknown": trial.unknown,
            "looked_until": rfc3339(trial.until),
            "cut": trial.cut,
        }


def _would(it: ShadowReport, *, with_restrictions: bool) -> str:
    trial = it.trial
    assert trial is not None
    invited = f"would invite {accounts(len(trial.invited))}"
    if not with_restrictions:
        return invited
    count = len(trial.restricted)
    if trial.first_at is None:
        return f"{invited} and restrict nobody, even if nobody answers"
    surfaces = f"{len(trial.surfaces)} surface{'s' if len(trial.surfaces) != 1 else ''}"
    parts = [f"{invited} and, if nobody answers, would restrict {accounts(count)} on {surfaces}"]
    if it.unproven:
        parts.append(
            f"{it.unproven:,} of them have no proof of delivery and will not be restricted until"
            " there is one"
        )
    if count > it.told:
        parts.append(
            f"{count - it.told:,} of them were never sent a notice, and are restricted only after"
            " proof that one came"
        )
    parts.append(f"the first restriction would be at {rfc3339(trial.first_at)[:19]}Z")
    return "; ".join(parts)


def accounts(count: int) -> str:
    """Writes a number of accounts in words."""
    if not count:
        return "nobody"
    return "1 account" if count == 1 else f"{count:,} accounts"


def reports(
    connection: Connection,
    fresh: Fresh,
    on_disk: Mapping[str, Policy],
    start: int,
    end: int,
    platform: str | None = None,
    backtest: BacktestReport | None = None,
    *,
    two_approvals: bool = False,
) -> list[ShadowReport]:
    """Returns a report on each platform with anything in shadow, or with shadow events; or on one.

    `on_disk`: the policy files here, by platform. `start`, `end`: the period of the events (ms,
    without its end). The trial starts from the state in the index. `two_approvals`: a policy in
    enforce needs two approvals here.
    """
    states = States(partition_count=partition_count(connection))
    feed_beside(connection, states.feed)
    running = _running(states)
    found = []
    for name in sorted({*on_disk, *running}):
        if platform is not None and name != platform:
            continue
        file, runs = on_disk.get(name), running.get(name)
        # A worker never goes back to an older version, so an older file does not count.
        is_file = file is not None and (runs is None or file.version >= runs.version)
        policy = file if is_file else runs
        assert policy is not None
        told = said(connection, name, start, end)
        if not in_shadow(policy) and told.shadow is None and platform is None:
            continue
        it = ShadowReport(policy, is_file, told)
        now = end if fresh.as_of is None else fresh.as_of
        if in_shadow(policy):
            it.trial = tried(connection, policy, now)
            it.told, it.unproven = unproven(connection, name, it.trial.restricted)
            it.notes += _of_file(file, runs, two_approvals=two_approvals)
            it.notes += _of_trial(it.trial, now)
        if fresh.as_of is None:
            it.notes.append("the index has not read all topics yet: more may follow, of everything")
        it.notes += _brakes(states, name, now)
        if backtest is not None:
            it.backtests = against(connection, fresh, name, backtest)
        found.append(it)
    return found


def _running(states: States) -> dict[str, Policy]:
    """Returns, by platform, the newest policy that any partition works under and that is known."""
    found: dict[str, Policy] = {}
    for number in range(states.partition_count):
        for name, policy in states.part(number).policies.items():
            if policy is not None and (name not in found or found[name].version < policy.version):
                found[name] = policy
    return found


def _of_file(file: Policy | None, runs: Policy | None, *, two_approvals: bool) -> Iterable[str]:
    """Yields why a worker would not use the file's policy, beside facts that it lacks."""
    if file is None:
        return
    if runs is not None and file.version < runs.version:
        yield (
            f"the file has version {file.version} and is left alone: version {runs.version} runs,"
            " and no worker goes back"
        )
    elif runs is not None and file.version == runs.version and file.digest != runs.digest:
        yield (
            f"the file is another text than what runs, and both say version {file.version}: a"
            " worker takes it up once its version is raised"
        )
    actors = len({actor.casefold() for actor, _ in file.approvals})
    if two_approvals and actors < 2:
        yield f"enforce needs two approvals here (BYLINE_REQUIRE_APPROVALS), the file has {actors}"


def _of_trial(trial: Trial, now: int) -> Iterable[str]:
    if trial.cut:
        days = (trial.until - now) // DAY
        yield (
            f"the caps may let in the last accounts only after {days:,} days, where the trial"
            " ended: the numbers are of those days"
        )


def _brakes(states: States, platform: str, now: int) -> Iterable[str]:
    for it in overview(states, {}, now).holding:
        if it.scope in (platform, "*"):
            yield f"{it.what} is in force for {it.scope}: what it holds back is not counted here"
