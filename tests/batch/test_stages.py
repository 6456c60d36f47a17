"""The stages of a job: they overlap, keep the order, hold no more than they may, and end as they should."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphflow.batch.channel import Cancelled, Channel, Turns
from graphflow.batch.stages import Times, run_stages


def each(item: Any) -> bool:
    """Each block is a shard."""
    return True


def test_stages_overlap_and_keep_order() -> None:
    def pause(item: int) -> int:
        time.sleep(0.01)
        return item

    done: list[int] = []
    start = time.perf_counter()
    run_stages((pause(i) for i in range(20)), pause, pause, each, lambda i: done.extend(map(pause, i)), Times())
    assert done == list(range(20))
    assert time.perf_counter() - start < 0.6, "four stages of 0.2 s one after another would take 0.8 s"


def test_several_runners_overlap_and_keep_order() -> None:
    def run(item: int) -> int:
        time.sleep(0.03 if item % 3 == 0 else 0.01)
        return item

    done: list[int] = []
    start = time.perf_counter()
    times = Times()
    run_stages(iter(range(24)), lambda i: i, run, each, done.extend, times, runners=4)
    assert done == list(range(24))
    assert time.perf_counter() - start < 0.3, "24 blocks one after another would take 0.4 s"
    assert times.seconds["running"] < 0.2, "the busy time of several threads counts as a mean"


@pytest.mark.parametrize("runners", [2, 4])
def test_an_interrupt_of_one_runner_ends_all(runners: int) -> None:
    def run(item: int) -> int:
        if item == 5:
            raise KeyboardInterrupt
        return item

    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run_stages(iter(range(1000)), lambda i: i, run, each, done.extend, Times(), runners=runners)
    assert done == list(range(len(done)))
    assert len(done) <= 5


@pytest.mark.parametrize("runners", [1, 3])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("stage", range(4))
def test_what_a_stage_raises_comes_out_behind_the_blocks_before(stage: int, apart: bool, runners: int) -> None:
    done: list[int] = []

    def fail(at: int, item: int) -> int:
        if at == stage and item == 7:
            raise KeyError(stage)
        return item

    with pytest.raises(KeyError):
        run_stages(
            (fail(0, i) for i in range(100)),
            lambda i: fail(1, i),
            lambda i: fail(2, i),
            each,
            lambda i: done.append(fail(3, *i)),
            Times(),
            runners=runners,
            apart=apart,
        )
    assert done == list(range(7))


def test_a_channel_that_is_cancelled_lets_both_sides_go() -> None:
    channel = Channel(1)
    channel.put(1)
    channel.cancel()
    with pytest.raises(Cancelled):
        channel.get()
    with pytest.raises(Cancelled):
        channel.put(2)


@pytest.mark.parametrize("runners", [1, 3])
def test_while_a_shard_is_written_one_more_is_gathered(runners: int) -> None:
    """What waits is bounded: the queue, what the runners hold, a shard gathered and a shard written."""
    read: list[int] = []
    free = threading.Event()

    def blocks() -> Iterator[int]:
        for index in range(100):
            read.append(index)
            yield index

    def write(items: list[int]) -> None:
        assert free.wait(30)
        done.extend(items)

    done: list[int] = []
    arguments = (blocks(), lambda i: i, lambda i: i, lambda i: i % 4 == 3, write, Times(), 2, runners, False)
    job = threading.Thread(target=run_stages, args=arguments)
    job.start()
    seen, end = -1, time.monotonic() + 30
    while (seen < 8 or seen != len(read)) and time.monotonic() < end:
        seen = len(read)
        time.sleep(0.2)
    free.set()
    job.join()
    assert done == list(range(100))
    waiting, ahead = 2, 2 + runners
    assert 8 <= seen <= 8 + ahead + waiting + 1


@pytest.mark.parametrize("seed", range(3))
def test_turns_pass_on_in_order_whatever_the_timing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pauses = rng.random(400) * 1e-3
    passed: list[int] = []
    most = 0
    turns = Turns(3, 5, passed.append)
    taken: list[int] = []

    def worker() -> None:
        nonlocal most
        while (one := turns.take()) is not None:
            number, item = one
            taken.append(number)
            most = max(most, len(taken) - len(passed))
            time.sleep(pauses[item])
            if item == len(pauses) - 1:
                turns.close()
            turns.give(number, item)

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for item in range(len(pauses)):
        turns.put(item)
    for thread in threads:
        thread.join(30)
    assert passed == list(range(len(pauses)))
    assert most <= 5 + 1, "one more while the thread that passes on is about to"
