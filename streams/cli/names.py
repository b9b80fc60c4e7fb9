"""Options that name a platform or a topic. A misspelt name is refused with a hint."""

from typing import Annotated

import typer

from schemas.topics import INPUTS
from streams.cli.output import settings
from streams.operate.errors import UsageError
from streams.policies.scalars import nearest


def _platform(word: str | None) -> str | None:
    """The platform. Raises UsageError if it has no policy and its name is close to one that has.

    A name that is like none of ours is taken: its platform may have ended, and have its records.
    """
    if word is None:
        return None
    names = [file.stem for file in settings(without_policies=True).policies.glob("*.y*ml")]
    near = nearest(word, names)
    if word not in names and near:
        raise UsageError(f"--platform {word}: there is no such policy; did you mean {near}?")
    return word


def _topic(word: str | None) -> str | None:
    """The input without prefix. Raises UsageError if there is no such input."""
    names = [topic.name for topic in INPUTS]
    if word is None or word in names:
        return word
    near = nearest(word, names)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
    raise UsageError(f"--topic {word}: there is no such input; {hint}")


OfPlatform = Annotated[
    str | None, typer.Option("--platform", help="Of one platform alone.", callback=_platform)
]
OfTopic = Annotated[
    str | None, typer.Option("--topic", help="An input, without prefix.", callback=_topic)
]
