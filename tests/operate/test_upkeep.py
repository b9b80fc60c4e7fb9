"""`byline cluster check`, as far as it needs no cluster."""

from pathlib import Path

from schemas.topics import CHANGELOGS, INPUTS, OUTPUTS, TopicNames
from streams.engine.checkpoint import Checkpoint
from streams.kafka.requests.metadata import TopicView, View
from streams.settings import Settings
from streams.upkeep import _topics


def test_topics_made_anew_are_named_in_the_order_of_their_names(tmp_path: Path) -> None:
    """A broker lists them in another order each time."""
    settings = Settings(policies=tmp_path, partitions=4)
    names = TopicNames(settings.topic_prefix, settings.application_id)
    made = sorted(map(names.of, (*INPUTS, *OUTPUTS, *CHANGELOGS)))
    view = View("cluster", dict.fromkeys(reversed(made), TopicView("new", 4)))
    checkpoint = Checkpoint(1, 4, 0, {}, ids=dict.fromkeys(made, "old"))
    assert [it.topic for it in _topics(settings, view, {0: checkpoint})] == made
