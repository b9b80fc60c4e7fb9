"""Refuses an option that takes one value and is given twice: the last one would win in silence."""

from collections import Counter
from typing import Any

from streams.operate.errors import UsageError


def refuse_repeats(command: Any) -> Any:
    """Makes a command and all below it raise UsageError for a repeated option; returns it.

    A flag, and an option that may be repeated, is let through.
    """
    for each in getattr(command, "commands", {}).values():
        refuse_repeats(each)
    make_parser = command.make_parser

    def with_check(context: Any) -> Any:
        parser = make_parser(context)
        parse = parser.parse_args

        def checked(args: list[str]) -> Any:
            values, rest, order = parse(args=args)
            if not context.resilient_parsing:
                _check(order)
            return values, rest, order

        parser.parse_args = checked
        return parser

    command.make_parser = with_check
    return command


def _check(order: list[Any]) -> None:
    given = Counter(it.opts[0] for it in order if it.param_type_name == "option" and _single(it))
    for option, count in given.items():
        if count > 1:
            raise UsageError(f"{option} is given {count} times, and takes one value")


def _single(option: Any) -> bool:
    return not (option.multiple or option.is_flag or option.count)
