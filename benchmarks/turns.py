"""A process of a checkout, which works only when it is its turn."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Turns:
    """A child that runs `code` with the checkout's darbench, and answers in lines of JSON.

    The code finds `job` in sys.argv[1], also JSON, and may import from `benchmarks`; for every
    line of its input it prints one. environment: variables set besides.
    """

    def __init__(
        self,
        tree: Path,
        code: str,
        job: Any,
        benchmarks: Path,
        environment: Mapping[str, str] | None = None,
    ):
        path = os.pathsep.join(map(str, (tree.resolve(), benchmarks.resolve())))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(job)],
            env=os.environ | {"PYTHONPATH": path} | (environment or {}),
            cwd=tree,  # which Python looks into first
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self, asked: Any = "") -> Any:
        self.process.stdin.write(f"{asked}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
