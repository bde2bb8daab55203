"""What there is, for `darbench list` and `describe`: routings, search spaces, tasks."""

import inspect
import sys
from typing import Any

from darbench.commands.cite import bibtex
from darbench.errors import BadInput, unknown


def routings() -> list[dict[str, Any]]:
    """One row a routing: overheads at its defaults, search parameters with their values."""
    from darbench.metrics.cost.overhead import PUBLISHED, overhead
    from darbench.registry import ROUTINGS, signature

    rows = []
    for name, cls in ROUTINGS.items():
        row: dict[str, Any] = {"name": name, "paper": cls.paper}
        for size in PUBLISHED:
            cost = overhead(cls, {}, size)
            row |= {f"params {size}": cost.parameters, f"FLOPs {size}": cost.flops}
        row["equals add"] = cost.equals_add
        row["search parameters"] = {
            p.name: {"default": p.default, "values": values(p)}
            for p in signature(name).parameters.values()
        }
        rows.append(row)
    return rows


def values(parameter: Any) -> list[Any] | str:
    """The choices of a parameter, or the names of its types."""
    if parameter.choices:
        return list(parameter.choices)
    names = ("null" if t is type(None) else t.__name__ for t in parameter.types)
    return " or ".join(names) or "any"


def spaces() -> list[dict[str, Any]]:
    from darbench.search.files import cards, spaces_folder

    return [
        {"name": name, "variants": len(card.get("variants", [])), "what": card.get("summary", "")}
        for name, card in cards(spaces_folder()).items()
    ]


def tasks() -> list[dict[str, Any]]:
    from darbench.search.files import cards, tasks_folder

    return [
        {
            "name": name,
            "ranked by": card["task"]["rank_by"],
            "hours": card["task"]["hours"],
            "summary": card["task"]["summary"],
        }
        for name, card in cards(tasks_folder()).items()
    ]


LISTINGS = {"routings": routings, "spaces": spaces, "tasks": tasks}


def describe(name: str) -> str:
    """The text about a task, search space or routing; their names do not overlap."""
    from darbench.search.files import spaces_folder, tasks_folder

    tasks, spaces = (
        {path.stem: path for path in f().glob("*.yaml")} for f in (tasks_folder, spaces_folder)
    )
    if name in spaces:
        return spaces[name].read_text().rstrip()
    if name in tasks:
        from darbench.commands.describe import Card

        return Card.of(name).text()
    from darbench.registry import ROUTINGS

    known = dict(ROUTINGS.items())
    if name not in known:
        if name.endswith(".py"):
            raise BadInput(f"{name}: give the name of a routing, and its file with --load")
        raise unknown("routing, space or task", name, [*known, *spaces, *tasks])
    return _routing_text(name, known[name])


def _routing_text(name: str, cls: type) -> str:
    from darbench.metrics.cost.overhead import PUBLISHED, overhead
    from darbench.registry import signature

    module = (sys.modules[cls.__module__].__doc__ or "").strip().partition("\n")[0]
    lines = [
        f"{name}: {module}",
        "",
        inspect.cleandoc(cls.__doc__ or ""),
        "",
        "Search parameters:",
    ]
    for p in signature(name).parameters.values():
        shown = values(p)
        shown = " | ".join(map(str, shown)) if isinstance(shown, list) else shown
        lines.append(f"  {p.name} = {p.default}    ({shown})")
    lines += ["", "At the defaults, beyond add:"]
    for size in PUBLISHED:
        cost = overhead(cls, {}, size)
        lines.append(f"  SiT-{size}: {cost.parameters:,} parameters, {cost.flops:.2%} FLOPs")
    lines += [
        f"  equality to add at the start: {cost.equals_add}",
        "",
        "Citation:",
        bibtex(name, cls.paper) if cls.paper else "-",
    ]
    return "\n".join(lines)
