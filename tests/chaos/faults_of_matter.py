"""Faults of what a worker stands on: its disk, its cable, its clock."""

import shutil
import time

from tests.chaos.grounds import APPLICATION, FAKETIME
from tests.chaos.schedule import ScheduledFault
from tests.chaos.striking import Striking
from tests.chaos.supervisor import Slot

HOUR = 3600


class MatterFaults(Striking):
    """Mixed into `Faults`."""

    def _wipe(self, fault: ScheduledFault) -> bool:
        def act(slot: Slot) -> bool:
            with slot.lock:
                self.supervisor.kill(slot, "wiped")
                self.supervisor.wait_gone(slot)
                shutil.rmtree(self.site.disk(slot.number) / APPLICATION, ignore_errors=True)
            return True

        return self._with_victim(fault, act)

    def _old_disk(self, fault: ScheduledFault) -> bool:
        """Die, live on a while, die again, and come back with the disk of the first death."""

        def act(slot: Slot) -> bool:
            disk = self.site.disk(slot.number)
            kept = self.site.folder / f"kept-{fault.number}"
            with slot.lock:
                self.supervisor.kill(slot, "copied")
                self.supervisor.wait_gone(slot)
                shutil.copytree(disk / APPLICATION, kept)
            time.sleep(15 + 15 * fault.seconds)
            with slot.lock:
                self.supervisor.kill(slot, "old disk")
                self.supervisor.wait_gone(slot)
                shutil.rmtree(disk / APPLICATION, ignore_errors=True)
                shutil.move(kept, disk / APPLICATION)
            return True

        return self._with_victim(fault, act)

    def _disk_full(self, fault: ScheduledFault) -> bool:
        def act(slot: Slot) -> bool:
            filler = self.site.disk(slot.number) / "filler"
            try:
                with filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(b"\0" * 1_000_000)
            except OSError:
                pass
            time.sleep(4 + 6 * fault.seconds)
            filler.unlink()
            return True

        return self._with_victim(fault, act)

    def _disk_slow(self, fault: ScheduledFault) -> bool:
        """Each write of one start takes its time: the loop hangs between commit and store."""

        def act(slot: Slot) -> bool:
            hit, seconds = 3 + int(20 * fault.seconds), 2 + 8 * fault.seconds
            with slot.lock:
                point = f"after-commit-before-store:sleep:{hit}:{seconds:.1f}"
                slot.extra = {"BYLINE_FAILPOINT": point}
                self.supervisor.kill(slot, "made slow")
                self.supervisor.wait_gone(slot)
            return True

        return self._with_victim(fault, act)

    def _unplugged(self, slot: Slot, seconds: float) -> bool:
        self.site.cable(slot.number, plugged=False)
        time.sleep(seconds)
        self.site.cable(slot.number, plugged=True)
        return True

    def _cable_short(self, fault: ScheduledFault) -> bool:
        seconds = (0.1 + 0.6 * fault.seconds) * self.site.session_seconds
        slot = self._anybody(fault)
        return slot is not None and self._unplugged(slot, seconds)

    def _cable_long(self, fault: ScheduledFault) -> bool:
        seconds = (1.2 + fault.seconds) * self.site.session_seconds
        return self._with_victim(fault, lambda slot: self._unplugged(slot, seconds))

    def _clock(self, fault: ScheduledFault) -> bool:
        """The clock jumps by an hour, and is set right when the worker has gone."""

        def act(slot: Slot) -> bool:
            offset = self.site.folder / f"clock-{slot.number}"
            offset.write_text("+0")
            with slot.lock:
                slot.extra = {
                    "LD_PRELOAD": str(FAKETIME),
                    "FAKETIME_TIMESTAMP_FILE": str(offset),
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "FAKETIME_NO_CACHE": "1",
                    "BYLINE_FAILPOINT": "after-store:kill:100000",
                }
                self.supervisor.kill(slot, "given a clock")
                self.supervisor.wait_gone(slot)
            self._back(slot)
            time.sleep(12 + 6 * fault.seconds)
            process = slot.process
            offset.write_text(f"{'+' if fault.seconds < 0.5 else '-'}{HOUR}")
            deadline = time.monotonic() + 15
            while slot.process is process and time.monotonic() < deadline:
                time.sleep(0.05)
            offset.write_text("+0")
            if slot.process is process:
                self.notes.append(f"clock: worker {slot.number} went on with a clock that jumped")
            return True

        return self._with_victim(fault, act)
