"""A text that says all that it computes is told from one that may look elsewhere."""

import pytest

from darbench.registry.outside import looks_outside


@pytest.mark.parametrize(
    "text",
    [
        "import math, torch.nn.functional as F\nfrom torch import nn\nfrom darbench import Cond",
        "import numpy as np\nT = np.load('t.npy')",  # an open that is heard of
        "from torch import jit\n@jit.script\ndef f(x): return x",
        "from .neighbour import SCALE\nimport own.inner",
    ],
)
def test_tensors_and_pure_parts_of_python_look_nowhere(text):
    assert not looks_outside(text, frozenset({"own"}))


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from pathlib import Path",
        "import numpy, safetensors.torch",
        "def f():\n    import time",
        "import torch\nT = torch.jit.load('t.pt')",
        "import torch\nT = torch.from_file('t.bin')",
        "T = __import__('os').environ['T']",
        "import own.inner",
    ],
)
def test_all_else_may_look_outside(text):
    assert looks_outside(text)
