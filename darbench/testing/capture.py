"""The check that the trunk compiles to one graph."""

import re
from collections.abc import Callable

import torch

from darbench.testing.check import check, demand, fail
from darbench.testing.inputs import images, randomise
from darbench.testing.subject import DEPTH, Subject

MEND = (
    "no .item(), no Python `if` or loop over values of tensors, no print: use torch.where and "
    "tensor operations; branch on `site` and constructor arguments only"
)
VALUES = ("item", "tolist")
LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<verb>\w+)')


@check("a model of two blocks compiles as one graph, without a break")
def one_graph(subject: Subject) -> None:
    model = subject.model(depth=DEPTH if subject.refuses(sites=4) else 2)
    randomise(model)
    inputs = images(dtype=torch.float32)
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, examples: list) -> Callable:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    try:
        with torch.no_grad():
            wanted = model(*inputs)
            out = torch.compile(model, fullgraph=True, backend=keep)(*inputs)
    except torch._dynamo.exc.TorchDynamoException as error:
        fail(f"the graph breaks: {_reason(str(error))}", MEND)
    finally:
        torch._dynamo.reset()
    _demand_no_values(graphs[0])
    demand(
        torch.allclose(out, wanted, rtol=1e-4, atol=1e-5),
        "the captured graph answers differently from the model",
        "the verbs must be pure: no state on self, nothing changed in place",
    )


def _demand_no_values(graph: torch.fx.GraphModule) -> None:
    """Demand that no value of a tensor is read.

    .item() does not break a graph, but makes the host wait for the device at every step.
    """
    for node in graph.graph.nodes:
        where = _last_line(node.meta.get("stack_trace") or "")
        demand(node.target not in VALUES, f"the graph takes a value out of a tensor{where}", MEND)


def _reason(text: str) -> str:
    """The first line of a message, and the innermost line of code that Dynamo names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    where = _last_line(text.partition("from user code")[2])
    return f"{lines[0] if lines else 'no reason given'}{where}"


def _last_line(trace: str) -> str:
    lines = LINE.findall(trace)
    return " at {}:{} in {}".format(*lines[-1]) if lines else ""
