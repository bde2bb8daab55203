"""Users' files of routings, in folders of their own."""

from pathlib import Path
from textwrap import dedent

ROUTING = """
import darbench
{top}

@darbench.register("{name}")
class Mine(darbench.Routing):
    equals_add = "strong"

    def __init__(self, sites, width, *, a: float = 1.0):
        super().__init__(sites, width)
        {init}

    def begin(self, x, cond):
        {begin}
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return {write}

    def elementwise_flops(self, tokens):
        return 2 * self.sites * tokens * self.width
"""


def routing(top="", init="pass", begin="pass", write="state + v", name="mine") -> str:
    """The text of a file with a routing."""
    return ROUTING.format(top=dedent(top), init=init, begin=begin, write=write, name=name)


def files(folder: Path, **texts: str) -> Path:
    """Write mine.py, and others by name without their ending, and return mine.py."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "mine.py"
