"""The batcher, tested with squares instead of pictures."""

import os
import threading
import time
from concurrent.futures import CancelledError, Future, wait

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retinue.vision.batching import QUIET_NICENESS, Batcher
from retinue.vision.errors import DeadlinePassed, EyeIsFull, ModelFailed


class Squares:
    """Squares numbers, remembers every list it was given, and may be held at a gate meanwhile."""

    def __init__(self) -> None:
        self.lists: list[list[int]] = []
        self.threads: set[str] = set()
        self.niceness: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def __call__(self, numbers: list[int]) -> list[int]:
        self.lists.append(numbers)
        self.threads.add(threading.current_thread().name)
        self.niceness.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.entered.release()
        assert self.gate.wait(60)
        return [number**2 for number in numbers]

    def hold(self) -> None:
        self.gate.clear()
        self.entered = threading.Semaphore(0)

    def let_go(self) -> None:
        self.gate.set()

    def wait_until_busy(self, lanes: int = 1) -> None:
        for _ in range(lanes):
            assert self.entered.acquire(timeout=60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def squares():
    return Squares()


@pytest.fixture
def batcher_of():
    made: list[Batcher] = []

    def make(work, **options) -> Batcher:
        made.append(Batcher(work, **options))
        return made[-1]

    yield make
    for batcher in made:
        batcher.close()


def busy(batcher: Batcher, squares: Squares) -> Future:
    """Keeps the only lane at work on 0 until the gate opens, so that what comes next has to wait."""
    squares.hold()
    first = batcher.submit(0)
    squares.wait_until_busy()
    return first


class TestAnswers:
    def test_every_caller_gets_the_answer_to_its_own_item(self, batcher_of, squares):
        batcher = batcher_of(squares, max_batch=4, lanes=3)
        futures = [batcher.submit(n) for n in range(200)]
        assert [future.result(60) for future in futures] == [n**2 for n in range(200)]

    def test_a_single_item_is_taken_without_waiting_for_company(self, batcher_of, squares):
        batcher = batcher_of(squares, max_batch=32)
        assert batcher.submit(7).result(60) == 49
        assert squares.lists == [[7]]

    def test_batches_of_one_work(self, batcher_of, squares):
        batcher = batcher_of(squares, max_batch=1)
        assert [batcher.submit(n).result(60) for n in range(5)] == [0, 1, 4, 9, 16]
        assert batcher.figures.batch_sizes == {1: 5}

    def test_what_waited_meanwhile_goes_together_and_in_order(self, batcher_of, squares):
        batcher = batcher_of(squares, max_batch=8)
        busy(batcher, squares)
        futures = [batcher.submit(n) for n in range(1, 7)]
        squares.let_go()
        wait(futures, 60)
        assert squares.lists == [[0], [1, 2, 3, 4, 5, 6]]

    @settings(max_examples=30, deadline=None)
    @given(max_batch=some.integers(1, 9), weights=some.lists(some.integers(1, 9), max_size=40))
    def test_no_batch_ever_holds_more_pictures_than_allowed(self, max_batch, weights):
        squares = Squares()
        batcher = Batcher(squares, max_batch=max_batch)
        first = busy(batcher, squares)
        fitting = [weight for weight in weights if weight <= max_batch]
        futures = [batcher.submit(weight, pictures=weight) for weight in fitting]
        squares.let_go()
        assert [future.result(60) for future in futures] == [weight**2 for weight in fitting]
        first.result(60)
        batcher.close()
        assert all(sum(batch) <= max_batch for batch in squares.lists)

    def test_an_item_larger_than_any_batch_is_refused(self, batcher_of, squares):
        with pytest.raises(ModelFailed, match="takes 4 pictures at once, not 5"):
            batcher_of(squares, max_batch=4).submit(1, pictures=5)

    def test_with_and_without_batching_the_answers_are_the_same(self, batcher_of):
        together, alone = (batcher_of(Squares(), max_batch=size, lanes=2) for size in (16, 1))
        numbers = range(100)
        pairs = [(together.submit(n), alone.submit(n)) for n in numbers]
        assert all(first.result(60) == second.result(60) for first, second in pairs)


class TestFailure:
    def test_one_failing_item_fails_alone(self, batcher_of):
        squares = Squares()

        def picky(numbers: list[int]) -> list[int]:
            if 13 in numbers:
                raise ZeroDivisionError("thirteen")
            return squares(numbers)

        batcher = batcher_of(picky, max_batch=8)
        busy(batcher, squares)
        futures = [batcher.submit(n) for n in (11, 12, 13, 14)]
        squares.let_go()
        wait(futures, 60)
        assert [future.exception() is None for future in futures] == [True, True, False, True]
        assert isinstance(futures[2].exception(), ZeroDivisionError)
        assert batcher.drain(timeout_s=60)
        assert (batcher.figures.done, batcher.figures.failed) == (4, 1)

    def test_answers_of_another_number_than_items_are_nobodys(self, batcher_of):
        squares = Squares()
        batcher = batcher_of(lambda numbers: squares(numbers) + ([0] if len(numbers) == 2 else []), max_batch=2)
        first = busy(batcher, squares)
        pair = [batcher.submit(1), batcher.submit(2)]
        squares.let_go()
        assert first.result(60) == 0
        for future in pair:
            with pytest.raises(ModelFailed, match="3 answers for 2 pictures"):
                future.result(60)

    def test_a_lane_survives_its_failures(self, batcher_of):
        batcher = batcher_of(lambda numbers: [1 // number for number in numbers])
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                batcher.submit(0).result(60)
        assert batcher.submit(1).result(60) == 1


class TestWaiting:
    def test_live_items_go_before_job_items(self, batcher_of, squares):
        batcher = batcher_of(squares)
        busy(batcher, squares)
        futures = [batcher.submit(n, job=True) for n in (1, 2, 3)]
        futures += [batcher.submit(n) for n in (4, 5)]
        squares.let_go()
        wait(futures, 60)
        assert squares.lists == [[0], [4], [5], [1], [2], [3]]

    def test_jobs_fill_whole_batches_when_nobody_waits_live(self, batcher_of):
        clock = Clock()
        squares = Squares()

        def slow(numbers: list[int]) -> list[int]:
            clock.now += 0.010 * len(numbers)
            return squares(numbers)

        batcher = batcher_of(slow, max_batch=8, clock=clock)
        busy(batcher, squares)
        clock.now += 2.0  # the live item that keeps the lane was asked long ago
        jobs = [batcher.submit(n, job=True) for n in range(8)]
        squares.let_go()
        wait(jobs, 60)
        assert [len(numbers) for numbers in squares.lists] == [1, 8]

    def test_jobs_are_cut_to_thirty_milliseconds_while_there_is_live_traffic(self, batcher_of):
        clock = Clock()
        squares = Squares()

        def slow(numbers: list[int]) -> list[int]:
            clock.now += 0.010 * len(numbers)
            return squares(numbers)

        batcher = batcher_of(slow, max_batch=8, clock=clock)
        batcher.submit(0).result(60)
        busy(batcher, squares)
        jobs = [batcher.submit(n, job=True) for n in range(8)]
        squares.let_go()
        wait(jobs, 60)
        assert [len(numbers) for numbers in squares.lists][2:] == [3, 3, 2]

    def test_quiet_lanes_do_the_jobs_at_a_low_priority_and_leave_the_others_free(self, batcher_of, squares):
        batcher = batcher_of(squares, lanes=1, quiet_lanes=1, name="t")
        squares.hold()
        job = batcher.submit(2, job=True)
        squares.wait_until_busy()
        live = batcher.submit(3)
        squares.wait_until_busy()  # not behind the job, which still runs
        squares.let_go()
        assert (job.result(60), live.result(60)) == (4, 9)
        assert squares.threads == {"t-0", "t-quiet-0"}
        assert max(squares.niceness) >= QUIET_NICENESS

    def test_whoever_goes_away_gives_the_place_back(self, batcher_of, squares):
        batcher = batcher_of(squares, max_waiting=2)
        busy(batcher, squares)
        gone, stays = batcher.submit(1), batcher.submit(2)
        with pytest.raises(EyeIsFull):
            batcher.submit(3)
        assert gone.cancel()
        assert batcher.waiting == 1
        late = batcher.submit(4)
        squares.let_go()
        assert (stays.result(60), late.result(60)) == (4, 16)
        assert [1] not in squares.lists
        with pytest.raises(CancelledError):
            gone.result(60)

    def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(self, batcher_of, squares):
        batcher = batcher_of(squares, max_waiting=3)
        busy(batcher, squares)
        for n in range(3):
            batcher.submit(n)
        with pytest.raises(EyeIsFull) as refused:
            batcher.submit(4)
        squares.let_go()
        assert refused.value.retry_after_s >= 1
        assert batcher.figures.refused == 1

    def test_jobs_and_live_items_have_a_queue_each(self, batcher_of, squares):
        batcher = batcher_of(squares, max_waiting=1)
        busy(batcher, squares)
        batcher.submit(1, job=True)
        batcher.submit(1)
        with pytest.raises(EyeIsFull):
            batcher.submit(2, job=True)
        squares.let_go()


class TestTurns:
    def test_who_sends_one_waits_for_one_of_each_of_the_others(self, batcher_of, squares):
        batcher = batcher_of(squares)
        busy(batcher, squares)
        flood = [batcher.submit(n, who="ada") for n in range(1, 6)]
        others = [batcher.submit(10, who="ben"), batcher.submit(20, who="cid")]
        squares.let_go()
        wait([*flood, *others], 60)
        assert squares.lists == [[0], [1], [10], [20], [2], [3], [4], [5]]

    def test_a_flood_of_one_is_no_reason_to_refuse_another(self, batcher_of):
        clock, squares = Clock(), Squares()

        def slow(numbers: list[int]) -> list[int]:
            clock.now += 1.0
            return squares(numbers)

        batcher = batcher_of(slow, clock=clock)
        batcher.submit(0).result(60)
        assert batcher.drain(timeout_s=60)
        busy(batcher, squares)
        for n in range(4):
            batcher.submit(n, who="ada", deadline=clock() + 10)
        with pytest.raises(EyeIsFull):
            batcher.check_room(who="ada", deadline=clock() + 2.5)
        batcher.check_room(who="ben", deadline=clock() + 2.5)
        late = batcher.submit(5, who="ben", deadline=clock() + 9)
        squares.let_go()
        assert late.result(60) == 25

    def test_whoever_goes_away_gives_the_turn_back(self, batcher_of, squares):
        batcher = batcher_of(squares)
        busy(batcher, squares)
        gone, stays = batcher.submit(1, who="ada"), batcher.submit(2, who="ben")
        assert gone.cancel()
        squares.let_go()
        assert stays.result(60) == 4
        assert [1] not in squares.lists


class TestDeadlines:
    def test_what_waited_too_long_is_told_so_and_never_computed(self, batcher_of, squares):
        clock = Clock()
        batcher = batcher_of(squares, clock=clock)
        busy(batcher, squares)
        late, in_time = batcher.submit(1, deadline=1005.0), batcher.submit(2, deadline=1020.0)
        clock.now = 1010.0
        squares.let_go()
        assert in_time.result(60) == 4
        with pytest.raises(DeadlinePassed):
            late.result(60)
        assert squares.lists == [[0], [2]]
        assert batcher.drain(timeout_s=60)
        assert batcher.figures.late == 1

    def test_who_could_not_be_served_in_time_is_refused_on_arrival(self, batcher_of):
        clock = Clock()
        squares = Squares()

        def slow(numbers: list[int]) -> list[int]:
            clock.now += 1.0
            return squares(numbers)

        batcher = batcher_of(slow, clock=clock)
        batcher.submit(0).result(60)
        assert batcher.drain(timeout_s=60)
        busy(batcher, squares)
        for n in range(4):
            batcher.submit(n)
        with pytest.raises(EyeIsFull) as refused:
            batcher.submit(5, deadline=clock() + 2.5)
        squares.let_go()
        assert refused.value.retry_after_s == pytest.approx(1.5)


class TestClosing:
    def test_draining_waits_for_what_runs_and_what_waits(self, batcher_of, squares):
        batcher = batcher_of(squares)
        busy(batcher, squares)
        last = batcher.submit(2)
        assert not batcher.drain(timeout_s=0.01)
        squares.let_go()
        assert batcher.drain(timeout_s=60)
        assert last.done()

    def test_closing_tells_those_who_wait_and_ends_the_lanes(self, squares):
        batcher = Batcher(squares, lanes=2, quiet_lanes=1, name="closing")
        squares.hold()
        running = [batcher.submit(n) for n in range(2)]
        squares.wait_until_busy(lanes=2)
        waiting = batcher.submit(3)
        threading.Timer(0.02, squares.let_go).start()
        batcher.close()
        assert [future.result(0) for future in running] == [0, 1]
        with pytest.raises(EyeIsFull):
            waiting.result(0)
        with pytest.raises(EyeIsFull):
            batcher.submit(4)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("closing")]


class TestCost:
    def test_an_item_costs_far_less_than_the_smallest_model(self, batcher_of):
        batcher = batcher_of(lambda numbers: numbers, max_batch=8, lanes=2)
        began = time.process_time()
        wait([batcher.submit(n) for n in range(500)], 60)
        assert (time.process_time() - began) / 500 < 0.002  # 0.03 ms here; the bound only catches a blunder
