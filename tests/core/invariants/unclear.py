"""Unclear words of an account, for a reader of inputs alone.

schemas/CONTRACT.md, "Answers, receipts, unclear words".

One-sided: what is held here must hold the core back too; the core may be more careful.
"""

TOPICS = ("consent-answers", "account-changes", "controls")


class FollowedUnclear:
    """By topic: the first's time, the newest's entry, the newest stated time, the newest time."""

    def __init__(self) -> None:
        self._words: dict[str, tuple[int, int, int | None, int]] = {}

    @property
    def waits(self) -> bool:
        """Whether an unclear word holds the account's adverse events back."""
        return bool(self._words)

    def add(self, topic: str, at: int, entry: int, timed: bool) -> None:
        """An unclear word; `timed`: its own time could be read."""
        first, _, newest, last = self._words.get(topic, (at, entry, None, at))
        stated = at if timed and newest is None else max(at, newest or at) if timed else newest
        self._words[topic] = (min(first, at), entry, stated, max(last, at))

    def answered(self, at: int, entry: int) -> None:
        """A grant or refusal was applied: what entered before it, and is not newer, is clear."""
        known = self._words.get("consent-answers")
        if known is not None and entry > known[1] and (known[2] is None or at >= known[2]):
            del self._words["consent-answers"]

    def end(self, topic: str, entry: int) -> None:
        """A word of this topic was applied that entered later."""
        known = self._words.get(topic)
        if known is not None and entry > known[1]:
            del self._words[topic]

    def settle(self, at: int) -> None:
        """A person has looked: what is not later than that is clear."""
        for topic in [topic for topic, word in self._words.items() if word[3] <= at]:
            del self._words[topic]

    def forget_answers(self) -> None:
        """The cycle or the consent is over."""
        self._words.pop("consent-answers", None)
