"""Faults of a policy file: what is wrong, where, and what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MOST_FAULTS = 100
"""How many faults are listed; of the others only the number."""

Fix = str | Callable[[], str]
"""What to do about a fault. It is a function if computing it takes time (the nearest name)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend. `message` says what is wrong, `fix` what to do. Lines count from 1."""

    file: str
    line: int
    message: str
    how: Fix

    @property
    def fix(self) -> str:
        """What to do about the fault."""
        return self.how if isinstance(self.how, str) else self.how()

    def __str__(self) -> str:
        """Returns `file:line: message; fix`, the form from which editors jump to the place."""
        return printable(f"{self.file}:{self.line}: {self.message}; {self.fix}")


class PolicyFaults(ValueError):
    """Policies were refused, with every fault at once. The operator has to mend them.

    `faults`: the first 100, in order of file and line. `more`: how many further faults there are.
    `str()` of it has one line for each listed fault, and one with the number of further ones.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        found = sorted(faults, key=lambda fault: (fault.file, fault.line))
        self.faults = found[:MOST_FAULTS]
        self.more = len(found) - len(self.faults)
        lines = [str(fault) for fault in self.faults]
        if self.more:
            lines.append(f"and {self.more} more")
        super().__init__("\n".join(lines))


class InvalidValue(ValueError):
    """A value that cannot be read. The caller, which knows file and line, makes a `Fault` of it."""

    def __init__(self, message: str, fix: Fix) -> None:
        self.message = message
        self.fix = fix
        super().__init__(message)


class Findings:
    """The faults found so far in one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def add(self, line: int, message: str, fix: Fix) -> None:
        """Notes one fault; reading goes on."""
        self.faults.append(Fault(self.file, line, message, fix))


def printable(text: str) -> str:
    """Returns a text with control characters and unprintable ones escaped, so it is one line."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
