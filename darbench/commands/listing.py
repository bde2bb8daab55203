"""Lists of routings, search spaces and tasks: `darbench list`."""

from typing import Any

from darbench.commands.facts import routing_facts
from darbench.registry import signatures
from darbench.search.files import cards, spaces_folder, tasks_folder


def routings() -> list[dict[str, Any]]:
    """Return a row for each routing: overheads at its defaults, and search parameters."""
    rows = []
    for name in signatures():
        facts = routing_facts(name)
        row: dict[str, Any] = {"name": name, "paper": facts.paper}
        for size, cost in facts.overheads.items():
            row |= {f"params {size}": cost["parameters"], f"FLOPs {size}": cost["flops"]}
        row |= {"equals add": facts.equals_add, "search parameters": facts.parameters}
        rows.append(row)
    return rows


def spaces() -> list[dict[str, Any]]:
    return [
        {"name": name, "variants": len(card.get("variants", [])), "what": card.get("summary", "")}
        for name, card in cards(spaces_folder()).items()
    ]


def tasks() -> list[dict[str, Any]]:
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
