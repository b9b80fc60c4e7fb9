"""What targeted runs share: events by account, invited accounts, and the verdict at the end."""

from typing import Any

from tests.chaos.lives import ChaosAccount
from tests.chaos.stage import ChaosStage
from tests.engine.harness import wait_until


class HeardEvents:
    """Events by account, as they come out; the traffic of the stage hears them too."""

    def __init__(self, stage: ChaosStage) -> None:
        self.events: dict[str, dict[str, dict[str, Any]]] = {}
        self._traffic = stage.traffic
        stage.watch._listener = self.hear

    def hear(self, key: str, event: dict[str, Any]) -> None:
        """An event came out."""
        self.events.setdefault(key, {})[event["event"]] = event
        self._traffic.hear(key, event)

    def all(self, accounts: list[ChaosAccount], name: str) -> bool:
        """Whether an event of this name came out for each."""
        return all(name in self.events.get(account.key, {}) for account in accounts)

    def wait(self, accounts: list[ChaosAccount], name: str, seconds: float) -> None:
        """Until an event of this name came out for each; fail after `seconds`."""
        wait_until(lambda: self.all(accounts, name), seconds, f"{name} for each", every=0.05)


def invited(stage: ChaosStage, heard: HeardEvents, name: str, count: int) -> list[ChaosAccount]:
    """So many accounts, `name` and a number each, who were invited; returns once all are."""
    names = [f"{name}{number}" for number in range(count)]
    accounts = [ChaosAccount(stage.sender, "douyin", it, it) for it in names]
    for account in accounts:
        account.label()
        account.reads(1.5)
    heard.wait(accounts, "invitation.issued", 150)
    for account in accounts:
        issued = heard.events[account.key]["invitation.issued"]
        account.invitation_id = issued["invitation_id"]
    return accounts


def assert_fine(stage: ChaosStage, settle: float) -> None:
    """All that was done on the stage, judged at its end; `settle`: seconds for its timers."""
    stage.traffic.stop()
    assert stage.drained(90) is not None
    verdict = stage.end(settle)
    breaches = {name: own[:5] for name, own in verdict.breaches.items() if own}
    assert breaches == {}, breaches
