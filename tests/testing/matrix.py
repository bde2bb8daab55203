"""Prints which check caught which broken routing: python -m tests.testing.matrix"""

import torch

from darbench.testing import CHECKS, check_routing
from tests.testing.broken import BROKEN


def matrix() -> list[tuple[str, str, list[str]]]:
    """Broken routing, the check meant for it, and all checks that caught it."""
    return [
        (cls.__name__, cls.caught_by, [r.name for r in check_routing(cls) if not r.passed])
        for cls in BROKEN
    ]


def table() -> str:
    lines = ["| broken routing | mistake | check meant for it | caught | also caught by |"]
    lines.append("|---|---|---|---|---|")
    for cls, (name, meant, found) in zip(BROKEN, matrix(), strict=True):
        others = ", ".join(n for n in found if n != meant) or "-"
        mark = "yes" if meant in found else "NO"
        lines.append(f"| {name} | {cls.__doc__} | {meant} | {mark} | {others} |")
    meant_for = {cls.caught_by for cls in BROKEN}
    idle = [check.name for check in CHECKS if check.name not in meant_for]
    return "\n".join([*lines, "", f"checks without a broken routing: {', '.join(idle) or 'none'}"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table())
