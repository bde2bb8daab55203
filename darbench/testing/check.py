"""What a check is, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from darbench.testing.subject import Subject


class Broken(AssertionError):
    """The routing breaks the contract; the message says where, what was found, and how to mend."""


@dataclass(frozen=True)
class Check:
    name: str
    claim: str  # one line, true of a routing that passes
    run: Callable[[Subject], None]  # raises Broken


@dataclass(frozen=True)
class Result:
    name: str
    claim: str
    passed: bool
    message: str  # empty if passed
    seconds: float


def check(claim: str) -> Callable[[Callable[[Subject], None]], Check]:
    """Function decorator: makes it a Check of that claim, under the function's name."""
    return lambda run: Check(name=run.__name__, claim=claim, run=run)


def fail(found: str, mend: str) -> NoReturn:
    raise Broken(f"{found}\nTo mend: {mend}")


def demand(holds: bool, found: str, mend: str) -> None:
    if not holds:
        fail(found, mend)


def place(site: int, sites: int) -> str:
    """'site 3 (block 1, MLP)', or the head."""
    if site == sites:
        return "the head"
    return f"site {site} (block {site // 2}, {('attention', 'MLP')[site % 2]})"
