"""Faults of one process: killed and frozen, at random and at named moments."""

import signal
import time

from streams.engine.failpoints import POINTS
from tests.chaos.schedule import HITS, ScheduledFault
from tests.chaos.striking import Striking
from tests.chaos.supervisor import Slot


class WorkerFaults(Striking):
    """Mixed into `Faults`."""

    def _kill(self, fault: ScheduledFault) -> bool:
        slot = self._anybody(fault)
        return slot is not None and self.supervisor.kill(slot)

    def _kill_twice(self, fault: ScheduledFault) -> bool:
        """And again while it starts, joins or recovers."""

        def act(slot: Slot) -> bool:
            self.supervisor.kill(slot)
            self.supervisor.wait_gone(slot)
            self._back(slot)
            time.sleep(2 + fault.seconds * 8)
            return self.supervisor.kill(slot, "kill in recovery")

        return self._with_victim(fault, act)

    def _kill_at_shutdown(self, fault: ScheduledFault) -> bool:
        slot = self._anybody(fault)
        if slot is None:
            return False
        self.supervisor.signal(slot, signal.SIGTERM, "kill at shutdown")
        time.sleep(fault.seconds * 0.8)
        self.supervisor.kill(slot, "kill at shutdown")
        return True

    def _kill_at_revoke(self, fault: ScheduledFault) -> bool:
        """A worker more or less: all others are revoked; one dies right then."""

        def act(slot: Slot) -> bool:
            wanted = sum(one.wanted for one in self.supervisor.slots)
            with self._fleet:
                self.supervisor.scale(wanted + 1 if wanted < 5 else 4)
                time.sleep(3 + fault.seconds * 6)
                self.supervisor.kill(slot, "kill at revoke")
                self.supervisor.scale(max(wanted, 2))
            return True

        return self._with_victim(fault, act)

    def _frozen(self, slot: Slot, seconds: float) -> bool:
        frozen = self.supervisor.signal(slot, signal.SIGSTOP)
        time.sleep(seconds)
        self.supervisor.signal(slot, signal.SIGCONT)
        return frozen

    def _freeze_short(self, fault: ScheduledFault) -> bool:
        seconds = (0.1 + 0.6 * fault.seconds) * self.site.session_seconds
        slot = self._anybody(fault)
        return slot is not None and self._frozen(slot, seconds)

    def _freeze_long(self, fault: ScheduledFault) -> bool:
        seconds = (1.2 + fault.seconds) * self.site.session_seconds
        return self._with_victim(fault, lambda slot: self._frozen(slot, seconds))

    def _zombie_at_a_step(self, fault: ScheduledFault) -> bool:
        """It freezes in the middle of a step, is replaced, and wakes there."""

        def act(slot: Slot) -> bool:
            point = POINTS[self._zombies % len(POINTS)]
            self._zombies += 1
            hit = 1 if point in HITS else 2 + int(20 * fault.seconds)
            with slot.lock:
                slot.extra = {"BYLINE_FAILPOINT": f"{point}:stop:{hit}"}
                self.supervisor.kill(slot, "made a zombie")
                self.supervisor.wait_gone(slot)
            self._back(slot)
            if point == "on-revoke":
                time.sleep(6)
                self.supervisor.signal(slot, signal.SIGTERM, "zombie at a step")
            stopped = self._stopped(slot, 60)
            if stopped:
                time.sleep((1.2 + fault.seconds) * self.site.session_seconds)
                self.steps[point] += 1
            self.supervisor.signal(slot, signal.SIGCONT)
            return stopped

        return self._with_victim(fault, act)
