"""What is wrong with a policy file, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Fault:
    """One thing to mend: `message` says what is wrong, `cure` what to do. Lines count from 1."""

    file: str
    line: int
    message: str
    cure: str

    def __str__(self) -> str:
        """One line, in the form that editors jump to."""
        return f"{self.file}:{self.line}: {self.message}; {self.cure}"


class PolicyFaults(ValueError):
    """Policies that were refused, with every fault at once. The operator's to mend, never ours.

    `str()` of it has one line a fault, ordered by file and line.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (fault.file, fault.line))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Wrong(ValueError):
    """A value that cannot be read; whoever knows its place makes a `Fault` of it."""

    def __init__(self, message: str, cure: str) -> None:
        self.message = message
        self.cure = cure
        super().__init__(f"{message}; {cure}")


class Findings:
    """The faults found so far in one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def add(self, line: int, message: str, cure: str) -> None:
        """Note one fault and go on reading."""
        self.faults.append(Fault(self.file, line, message, cure))
