"""What a check and its result are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from darbench.testing.subject import Subject


class Broken(AssertionError):
    """The routing breaks the contract; the message says where, how, and what would mend it."""


@dataclass(frozen=True)
class Check:
    name: str
    claim: str  # one line, true of a routing that passes
    run: Callable[[Subject], str | None]  # raises Broken; may return a note


@dataclass(frozen=True)
class Result:
    name: str
    claim: str
    passed: bool
    message: str  # empty if passed
    seconds: float
    note: str = ""  # what its author should know all the same


def check(claim: str) -> Callable[[Callable[[Subject], str | None]], Check]:
    """Function decorator that makes a Check of this claim, under the function's name."""
    return lambda run: Check(name=run.__name__, claim=claim, run=run)


def fail(fault: str, mend: str) -> NoReturn:
    raise Broken(f"{fault}\nTo mend: {mend}")


def demand(holds: bool, fault: str, mend: str) -> None:
    if not holds:
        fail(fault, mend)


def place(site: int, sites: int) -> str:
    """Return a name for people, such as 'site 3 (block 1, MLP)' or 'the head'."""
    if site == sites:
        return "the head"
    return f"site {site} (block {site // 2}, {('attention', 'MLP')[site % 2]})"
