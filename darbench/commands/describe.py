"""The text about a routing, a search space or a task: `darbench describe`."""

from collections.abc import Iterator

from darbench.cache import remembered
from darbench.commands.facts import RoutingFacts, routing_facts
from darbench.errors import BadInput, unknown
from darbench.registry import signatures
from darbench.search.files import spaces_folder, tasks_folder


def describe(name: str) -> str:
    """Return the text about a task, search space or routing; their names do not overlap."""
    tasks, spaces = (
        {path.stem: path for path in f().glob("*.yaml")} for f in (tasks_folder, spaces_folder)
    )
    if name in spaces:
        return spaces[name].read_text(encoding="utf-8").rstrip()
    if name in tasks:
        return remembered(f"card-{name}", name, lambda: _card(name))
    routings = signatures()
    if name not in routings:
        if name.endswith(".py"):
            raise BadInput(f"{name}: give the name of a routing, and its file with --load")
        raise unknown("routing, space or task", name, [*routings, *spaces, *tasks])
    return "\n".join(_lines(routing_facts(name)))


def _card(task: str) -> str:
    from darbench.commands.card import Card  # imports torch

    return Card.of(task).text()


def _lines(facts: RoutingFacts) -> Iterator[str]:
    yield from (f"{facts.name}: {facts.title}", "", facts.text, "", "Search parameters:")
    for name, parameter in facts.parameters.items():
        shown = parameter["values"]
        shown = " | ".join(map(str, shown)) if isinstance(shown, list) else shown
        yield f"  {name} = {parameter['default']}    ({shown})"
    yield from ("", "At the defaults, beyond add:")
    for size, cost in facts.overheads.items():
        yield f"  SiT-{size}: {cost['parameters']:,} parameters, {cost['flops']:.2%} FLOPs"
    yield f"  equality to add at the start: {facts.equals_add}"
    yield from ("", "Citation:", facts.citation)
