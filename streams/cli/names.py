"""Options that name a platform, a topic or an id, and refuse what is none, with a hint."""

from typing import Annotated

import typer

from schemas.topics import INPUTS
from streams.cli.output import settings
from streams.operate.errors import UsageError
from streams.operate.ids import actor_id, other_id
from streams.policies.scalars import nearest


def _platform(word: str | None) -> str | None:
    """Returns the platform. Raises UsageError if it has no policy and resembles one that has.

    Any other name without a policy is accepted: the platform may have ended, and its records may
    still exist.
    """
    if word is None:
        return None
    names = [file.stem for file in settings(without_policies=True).policies.glob("*.y*ml")]
    near = nearest(word, names)
    if word not in names and near:
        raise UsageError(f"--platform {word}: there is no such policy; did you mean {near}?")
    return word


def _topic(word: str | None) -> str | None:
    """Returns the input, without prefix. Raises UsageError if there is no such input."""
    names = [topic.name for topic in INPUTS]
    if word is None or word in names:
        return word
    near = nearest(word, names)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
    raise UsageError(f"--topic {word}: there is no such input; {hint}")


def _actor(option: typer.CallbackParam, word: str | None) -> str | None:
    return None if word is None else actor_id(option.opts[0], word)


def _identifier(option: typer.CallbackParam, word: str | None) -> str | None:
    return None if word is None else other_id(option.opts[0], word)


OfPlatform = Annotated[
    str | None, typer.Option("--platform", help="Of one platform alone.", callback=_platform)
]
OfTopic = Annotated[
    str | None, typer.Option("--topic", help="An input, without prefix.", callback=_topic)
]
Actor = Annotated[str, typer.Option(help="Who says it: an opaque id, no name.", callback=_actor)]
ApprovedBy = Annotated[str | None, typer.Option(help="The second of two people.", callback=_actor)]
AppealId = Annotated[
    str | None,
    typer.Option(help="Which appeal; none is the one without id.", callback=_identifier),
]
BulkId = Annotated[
    str | None, typer.Option(help="Default: derived from what is said.", callback=_identifier)
]
