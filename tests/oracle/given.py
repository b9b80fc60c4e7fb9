"""Words for test histories: a small policy, instants as minutes after noon, inputs in one line."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.inputs import INPUT_MODELS
from tests.oracle.model import OracleLife
from tests.oracle.policy import OraclePhase, OraclePolicy

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
WHO = {"platform": "weibo", "account_id": "a"}
ENFORCE = OraclePolicy(
    platform="weibo",
    mode="enforce",
    phases=(OraclePhase("million", 1000, NOON - timedelta(days=9)),),
    labels={"财经": "finance", "法律": "law", "娱乐": "society"},
    covered=frozenset({"finance", "law"}),
    exempt_labels=frozenset({"日常"}),
    window=timedelta(minutes=60),
    surfaces={"tips": ("off", None), "hot-search": ("limited", None)},
    review_after=timedelta(minutes=100),
    expires_after=timedelta(minutes=250),
    cool_down=timedelta(minutes=30),
    leave_after=timedelta(minutes=10),
)


def at(minute: float) -> datetime:
    """An instant, in minutes after noon."""
    return NOON + timedelta(minutes=minute)


class Story:
    """A life told in minutes: every method is an input that is observed when it arrives."""

    def __init__(self, policy: OraclePolicy = ENFORCE, **given: Any) -> None:
        self.life = OracleLife(policy, **given)
        self.told = 0
        self.controls = 0
        self.unread: list[tuple[float, str, Any]] | None = None

    def _apply(self, minute: float, name: str, **value: Any) -> "Story":
        return self._put(minute, name, {**WHO, **value})

    def _put(self, minute: float, name: str, value: Any) -> "Story":
        if self.unread is None:
            self.life.apply(at(minute), name, value)
        else:
            self.unread.append((minute, name, value))
        return self

    def sleeps(self) -> "Story":
        """The worker is away: what comes in is read when it wakes, and no timer acts."""
        self.unread = []
        return self

    def wakes(self, minute: float) -> "Story":
        """The worker reads all that came in together, in the order of topics, then timers act."""
        order = ["policy", *INPUT_MODELS, "refused", "cluster"]
        unread, self.unread = self.unread or [], None
        for entered, name, value in sorted(unread, key=lambda one: (order.index(one[1]), one[0])):
            self.life.receive(at(minute), name, value, at(entered))
        self.life.round(at(minute), at(minute))
        return self

    def refused(self, minute: float, topic: str = "consent-answers") -> "Story":
        """A record of this account is refused: an unclear word."""
        return self._put(minute, "refused", topic)

    def cluster(self, minute: float, changed: bool = True) -> "Story":
        """The cluster is seen to have changed, or a worker has started anew."""
        return self._put(minute, "cluster", changed)

    def reads(self, minute: float, followers: int, **more: Any) -> "Story":
        """A reading."""
        value = {"followers": followers, "observed_at": at(minute), **more}
        return self._apply(minute, "follower-counts", **value)

    def label(self, minute: float, category: str | None = "财经", **more: Any) -> "Story":
        """A label, or its tombstone."""
        if category is None:
            return self._put(minute, "category-changes", None)
        value = {"category": category, "observed_at": at(minute), **more}
        return self._apply(minute, "category-changes", **value)

    def change(self, minute: float, change: str, **more: Any) -> "Story":
        """An account change."""
        value = {"observed_at": at(minute), **more}
        return self._apply(minute, "account-changes", change=change, **value)

    def receipt(self, minute: float, outcome: str = "delivered", **more: Any) -> "Story":
        """A receipt for the cycle at hand, unless `invitation_id` says otherwise."""
        life = self.life
        mine = life.invitation_id(life.cycle["mode"], life.cycle["number"]) if life.cycle else "x"
        value = {"invitation_id": mine, "occurred_at": at(minute), **more}
        return self._apply(minute, "notice-receipts", outcome=outcome, **value)

    def answers(self, minute: float, answer: str, **more: Any) -> "Story":
        """An answer that names no invitation, unless `invitation_id` says otherwise."""
        value = {"occurred_at": at(minute), **more}
        return self._apply(minute, "consent-answers", answer=answer, **value)

    def control(self, minute: float, command: str, **more: Any) -> "Story":
        """An operator's word."""
        self.controls += 1
        value = {"control_id": f"c{self.controls}", "issued_at": at(minute), "actor": "op"}
        value |= {"reason": "test", **more}
        return self._apply(minute, "controls", command=command, **value)

    def switch(
        self, minute: float, switch: str, on: bool, scope: str = "weibo", **more: Any
    ) -> "Story":
        """A brake."""
        value = {"scope": scope, "switch": switch, "on": on, "issued_at": at(minute), **more}
        return self._put(minute, "switches", value)

    def policy(self, minute: float, policy: OraclePolicy) -> "Story":
        """A new policy."""
        return self._put(minute, "policy", policy)

    def until(self, minute: float) -> "Story":
        """Time passes."""
        self.life.advance(at(minute))
        return self

    def then(self) -> list[str]:
        """Events since the last question, as `event reason [surface]`, without their topic."""
        fresh = self.life.events[self.told :]
        self.told = len(self.life.events)
        return [told(event) for event in fresh]

    def waits(self) -> dict[str, list[str]]:
        """Adverse events that are due and wait, each with what it waits for."""
        return {event.split(".")[1]: [*map(str, by)] for event, by in self.life.deferrals()}

    def last(self, name: str) -> Any:
        """A value of the last event."""
        return self.life.events[-1][name]


def told(event: dict[str, Any]) -> str:
    """One event in short: `lifted granted tips`, with `shadow` before it if it is."""
    words = [event["event"].split(".")[1], event["reason"], event.get("surface")]
    text = " ".join(word for word in words if word)
    return f"shadow {text}" if event["mode"] == "shadow" else text


def invited(policy: OraclePolicy = ENFORCE, **given: Any) -> Story:
    """An account that is invited at minute 0."""
    story = Story(policy, **given).label(0).reads(0, 1000)
    story.then()
    return story


def delivered(policy: OraclePolicy = ENFORCE, **given: Any) -> Story:
    """Invited at 0, notice delivered at 1: the deadline is 61."""
    story = invited(policy, **given).receipt(1)
    story.then()
    return story


def expired(policy: OraclePolicy = ENFORCE, **given: Any) -> Story:
    """Silent until the deadline at 61, restricted since then."""
    story = delivered(policy, **given).until(61)
    story.then()
    return story


def granted(policy: OraclePolicy = ENFORCE, **given: Any) -> Story:
    """Agreed at minute 2."""
    story = delivered(policy, **given).answers(2, "granted")
    story.then()
    return story
