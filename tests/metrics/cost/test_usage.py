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
    times = timer.restart()
    assert len(times) == 2 and times[0] >= 20 and times[1] >= 40
    assert sum(times) <= 1e3 * (time.perf_counter() - started)
    assert timer.restart() == []


def test_percentiles_are_of_all_steps():
    assert percentiles(list(range(101))) == {"step_ms_p50": 50, "step_ms_p95": 95}


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
