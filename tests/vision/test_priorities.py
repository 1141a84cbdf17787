"""Who gives way to whom inside one process."""

import os
import sys
import threading

import pytest

from retinue.vision.priorities import Politeness

if sys.platform != "linux":
    pytest.skip("only Linux lets a thread choose", allow_module_level=True)


@pytest.fixture
def started_as():
    """The class that the whole process was started in, given back to this thread afterwards."""
    before = os.sched_getscheduler(0)
    yield before
    os.sched_setscheduler(0, before, os.sched_param(0))


@pytest.fixture
def writer():
    """Another thread of this process, which waits."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield thread.native_id
    done.set()
    thread.join()


def test_in_a_crowd_the_threads_that_wake_often_let_a_slice_end(started_as, writer):
    polite = Politeness(writer)
    expected = os.SCHED_BATCH if started_as == os.SCHED_OTHER else started_as
    polite(True)
    assert [os.sched_getscheduler(thread) for thread in (0, writer)] == [expected] * 2
    polite(False)
    assert [os.sched_getscheduler(thread) for thread in (0, writer)] == [started_as] * 2


def test_a_class_that_somebody_chose_for_the_process_stays(started_as, writer):
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    polite = Politeness(writer)
    polite(False)
    assert os.sched_getscheduler(0) == os.SCHED_BATCH
    assert os.sched_getscheduler(writer) == started_as
