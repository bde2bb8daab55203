"""Imported by every Python that has this folder on its path: one process kills itself at a place.

DIE_AT is `ledger`, in the middle of a write to the ledger, `state`, before a state's file has its
name, or `evaluation`; DIE_AFTER how often others pass there first, and DIE_ONCE a file that the
first to die makes.
"""

import os
import signal
import sys
import threading
import time


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def doomed() -> bool:
    """Whether this process has passed the place often enough, and is the first to."""
    global left
    left -= 1
    if left >= 0:
        return False
    try:
        os.close(os.open(os.environ["DIE_ONCE"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def write(descriptor: int, data: bytes) -> int:
    if os.readlink(f"/proc/self/fd/{descriptor}").endswith(".jsonl") and doomed():
        os_write(descriptor, data[: len(data) // 2])
        die()
    return os_write(descriptor, data)


def replace(source, target, **keywords) -> None:
    if "/states/" in str(target) and doomed():
        die()
    os_replace(source, target, **keywords)


def watch() -> None:
    """Die within an evaluation, by what the threads of this process do."""
    seen = 0
    while True:
        time.sleep(0.002)
        frames = [*sys._current_frames().values()]
        evaluating = any(code.co_name == "_evaluate" for code in map(called_by, frames) if code)
        if evaluating and not seen and doomed():
            time.sleep(0.02)
            die()
        seen = evaluating


def called_by(frame):
    """The code of the innermost frame of a trial's training, if there is one."""
    while frame is not None:
        if frame.f_code.co_filename.endswith("darbench/trial/train.py"):
            return frame.f_code
        frame = frame.f_back
    return None


os_write, os_replace = os.write, os.replace
left = int(os.environ.get("DIE_AFTER", 0))
place = os.environ.get("DIE_AT")
if place == "ledger":
    os.write = write
elif place == "state":
    os.replace = replace
elif place == "evaluation":
    threading.Thread(target=watch, daemon=True).start()
