import time

import numpy as np

from darbench.metrics.cost.usage import (
    PeakMemory,
    StepTimer,
    peak_memory,
    percentiles,
    reset_peak_memory,
)


def test_the_timer_gives_the_milliseconds_between_marks_and_starts_anew():
    timer, started = StepTimer("cpu"), time.perf_counter()
    for pause in (0.0, 0.02, 0.04):
        time.sleep(pause)
        timer.mark()
    times, own = zip(*timer.restart(), strict=True)
    assert len(times) == 2 and times[0] >= 20 and times[1] >= 40
    assert sum(times) <= 1e3 * (time.perf_counter() - started)
    assert max(own) < 15  # a thread that sleeps uses no processor
    assert timer.restart() == []


def test_percentiles_are_of_all_steps():
    found = percentiles([(t, t / 2) for t in range(101)])
    assert found == {"step_ms_p50": 50, "step_ms_p95": 95, "step_own_ms_p50": 25}


def test_what_a_step_computes_is_its_own():
    timer = StepTimer("cpu")
    timer.mark()
    began = time.thread_time()
    while time.thread_time() - began < 0.05:
        np.ones(1000).sum()
    timer.mark()
    ((wall, own),) = timer.restart()
    assert 50 <= own <= wall + 1


def test_peak_memory_is_the_highest_since_the_reset():
    reset_peak_memory("cpu")
    before = peak_memory("cpu")
    block = np.ones(2**25)  # 256 MB
    del block
    high = peak_memory("cpu")
    assert high - before > 0.5 * 2**28  # the system may take other pages away meanwhile
    reset_peak_memory("cpu")
    assert peak_memory("cpu") <= high


def test_the_peak_holds_nothing_of_what_is_left_out():
    peak = PeakMemory("cpu")
    before = peak.read()
    with peak.left_out():
        np.ones(2**25)  # 256 MB
    assert peak.read() - before < 0.5 * 2**28
    np.ones(2**25)
    assert peak.read() - before > 0.5 * 2**28
    with peak.left_out():
        pass
    assert peak.read() - before > 0.5 * 2**28  # what was before still counts
