"""How a fault is struck: in a thread of its own, on a worker that is there, counted when done."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.chaos.schedule import ScheduledFault
from tests.chaos.sending import Sender
from tests.chaos.supervisor import Slot, Supervisor


class Striking:
    """What all kinds of faults need; the kinds are methods of its subclasses, `_` and their name.

    A fault that takes long has a worker for itself; a short one may meet it in the same process.
    """

    def __init__(self, supervisor: Supervisor, sender: Sender) -> None:
        self.supervisor, self.sender = supervisor, sender
        self.site = supervisor.site
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []
        self.struck_at: list[tuple[float, str]] = []
        self._busy = [threading.Lock() for _ in supervisor.slots]
        self._broker_lock = threading.Lock()
        self._fleet = threading.Lock()
        self._wire_lock = threading.Lock()
        self._topics_lock = threading.Lock()
        self._scaled = self._zombies = self._rolled = 0
        self.steps: Counter[str] = Counter()
        self._threads: list[threading.Thread] = []

    def strike(self, fault: ScheduledFault) -> None:
        """Begin a fault and return; `wait` waits for all that were begun."""
        thread = threading.Thread(target=self._guarded, args=(fault,), name=fault.kind, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Until every fault is over."""
        for thread in self._threads:
            thread.join()

    def _guarded(self, fault: ScheduledFault) -> None:
        try:
            act: Callable[[ScheduledFault], bool] = getattr(
                self, "_" + fault.kind.replace(" ", "_")
            )
            began = time.time()
            if act(fault):
                self.done[fault.kind] += 1
                self.struck_at.append((began, fault.kind))
            else:
                self.notes.append(f"{fault.kind}: nobody to strike")
        except Exception as error:
            self.notes.append(f"{fault.kind}: {error!r}")

    def _victim(self, fault: ScheduledFault) -> Slot | None:
        """A running worker that no other fault has in its hands; its lock is then held."""
        slots = self.supervisor.slots
        for step in range(len(slots)):
            slot = slots[(fault.slot + step) % len(slots)]
            if slot.pid is not None and self._busy[slot.number].acquire(blocking=False):
                return slot
        return None

    def _with_victim(self, fault: ScheduledFault, act: Callable[[Slot], bool]) -> bool:
        slot = self._victim(fault)
        if slot is None:
            return False
        try:
            return act(slot)
        finally:
            self._busy[slot.number].release()

    def _anybody(self, fault: ScheduledFault) -> Slot | None:
        """A running worker, whatever else is being done to it: faults may meet in one process."""
        running = self.supervisor.running()
        return running[fault.slot % len(running)] if running else None

    def _back(self, slot: Slot, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while slot.pid is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def _stopped(self, slot: Slot, seconds: float) -> bool:
        """Whether the process comes to a halt of its own in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                state = Path(f"/proc/{slot.pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return False
            if state == "T":
                return True
            time.sleep(0.05)
        return False
