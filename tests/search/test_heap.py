import subprocess
import sys
from textwrap import dedent

# Small blocks of which every hundredth stays in use, as what a trial leaves behind does: malloc
# gives back only what lies above the last of them.
FRAGMENTED = """
import ctypes
from pathlib import Path
from darbench.search.heap import trim

def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1e3

malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blocks = [malloc(50_000) for _ in range(2000)]
for block in blocks:
    ctypes.memset(block, 1, 50_000)
full = resident()
for k, block in enumerate(blocks):
    if k % 100 != 99:
        free(block)
kept = resident()
trim()
print(full, kept, resident())
"""


def test_what_was_freed_between_blocks_in_use_goes_back_to_the_system():
    done = subprocess.run(
        [sys.executable, "-c", dedent(FRAGMENTED)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    full, kept, left = map(float, done.stdout.split())
    assert full - kept < 10 and kept - left > 80  # of 100 MB
