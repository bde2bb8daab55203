"""The models and batches of gpu.py, and how it compiles: whole on a GPU, toys on the CPU."""

from step_time import Shape

from darbench.model.sizes import SIZES

# By what autograd keeps on the meta device, mHC's step fits into 80 GB, with `add` beside it.
BATCHES = {"S/2": 128, "B/2": 64, "XL/2": 32}


def shapes(device: str) -> dict[str, Shape]:
    """SiT on 32 x 32 x 4 latents, 256 tokens; without a GPU two narrow blocks on 16 tokens."""
    if device == "cpu":
        return {name: Shape(2, 32, 2, 8, channels=1, classes=10, batch=2) for name in BATCHES}
    return {
        name: Shape(*SIZES[name.removesuffix("/2")], 32, channels=4, classes=1000, batch=batch)
        for name, batch in BATCHES.items()
    }


def compiling(device: str) -> dict[str, object]:
    """The arguments of torch.compile: a graph per shape; on the CPU it is captured, no more.

    With fullgraph nothing can quietly run uncompiled.
    """
    backend = "inductor" if device == "cuda" else "eager"
    return {"fullgraph": True, "dynamic": False, "backend": backend}
