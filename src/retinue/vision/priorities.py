"""Which threads of this process give way to which, where the operating system lets a thread choose: on Linux."""

import os
import sys
import threading


def be_quiet(niceness: int) -> None:
    """This thread, and whatever thread it starts, gives way to others from now on. There is no way back."""
    if sys.platform == "linux":  # elsewhere a process has one priority for all its threads
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


class Politeness:
    """Whether threads that wake up often push those off the processor who are at work.

    An event loop and a database's writer wake a dozen times a picture. While pictures wait anyway, each of these
    wake-ups throws a lane out of the middle of its network, and its caches with it: 5 % of what a crowd of 8 is served
    on two processors, 8 % with 32. So they wait for the end of a slice then. A lone caller is answered sooner without.
    """

    def __init__(self, *threads: int) -> None:
        """Of the calling thread, at the time of each call, and of these (their ids in the operating system)."""
        self._threads = (0, *threads)
        # Whoever chose another class for the whole process keeps it.
        self._may_choose = sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER

    def __call__(self, crowded: bool) -> None:
        if sys.platform != "linux" or not self._may_choose:
            return
        for thread in self._threads:
            os.sched_setscheduler(thread, os.SCHED_BATCH if crowded else os.SCHED_OTHER, os.sched_param(0))
