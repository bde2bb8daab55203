"""The trunk as one graph."""

import re

import torch

from darbench.testing.check import check, demand, fail
from darbench.testing.inputs import images, randomise
from darbench.testing.subject import Subject

LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<verb>\w+)')


@check("a model of two blocks compiles as one graph, without a break")
def one_graph(subject: Subject) -> None:
    model = subject.model(depth=2)
    randomise(model)
    inputs = images(dtype=torch.float32)
    torch._dynamo.reset()
    try:
        with torch.no_grad():
            out = torch.compile(model, fullgraph=True, backend="eager")(*inputs)
            wanted = model(*inputs)
    except torch._dynamo.exc.TorchDynamoException as error:
        fail(
            f"the graph breaks: {_reason(str(error))}",
            "no .item(), no Python `if` or loop over values of tensors, no print: use torch.where "
            "and tensor operations; branch on `site` and constructor arguments only",
        )
    finally:
        torch._dynamo.reset()
    demand(
        torch.allclose(out, wanted, rtol=1e-4, atol=1e-5),
        "the captured graph answers differently from the model",
        "the verbs must be pure: no state on self, nothing changed in place",
    )


def _reason(text: str) -> str:
    """First line, and the innermost line of code that Dynamo names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = LINE.findall(text.partition("from user code")[2])
    place = f" at {found[-1][0]}:{found[-1][1]} in {found[-1][2]}" if found else ""
    return f"{lines[0] if lines else 'no reason given'}{place}"
