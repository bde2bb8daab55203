"""The tests that pytest finds marked `device`: they run on a GPU where there is one."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from gpu_parts.record import Row

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"pytest\.mark\.device\b")
LINE = "tests that use the device"
LINES = {LINE: ("small",)}
# Most of their time is Triton's compiler; on the CPU its interpreter is slow, and a few will do.
OPTIONS = {"cuda": ("-n4", "--dist=load"), "cpu": ("-n0", "-k", "zero or nan")}
KINDS = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def rows(device: str) -> Iterator[Row]:
    files = [p for p in (ROOT / "tests").rglob("test_*.py") if MARK.search(p.read_text("utf-8"))]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = ["-m", "pytest", *map(str, sorted(files)), "-m", "device", *OPTIONS[device]]
        subprocess.run(
            [sys.executable, *words, f"--junit-xml={report}"], cwd=ROOT, capture_output=True
        )
        found = outcomes(report)
    failed = [name for name, kind in found.items() if kind == "failed"]
    counts = {kind: [*found.values()].count(kind) for kind in ("passed", "failed", "skipped")}
    cell = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    yield Row(LINE, "small", cell, counts | {"names_of_failed": failed}, failed=failed != [])


def outcomes(report: Path) -> dict[str, str]:
    """Test -> passed, failed or skipped, from a report in JUnit's XML."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = [KINDS[part.tag] for part in case if part.tag in KINDS]
        found[f"{case.get('classname')}::{case.get('name')}"] = (kinds or ["passed"])[0]
    return found
