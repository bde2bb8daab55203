"""The Triton kernels against the definition in float64, which has oracles of its own.

Where there is no GPU they run in Triton's interpreter, see conftest.py, on tensors of the CPU.
"""

import os
import subprocess
import sys
from importlib import import_module

import pytest
import torch

from darbench.ops.depth_attention import definition, eager, graph, source
from darbench.ops.depth_attention.backends import takes
from darbench.ops.norm import inverse_rms
from tests.ops.depth import FORMS, distance, outputs, queries

pytest.importorskip("triton")
gpu = import_module("darbench.ops.depth_attention.gpu")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytestmark = pytest.mark.device

# batch, tokens, sources, width, heads
SHAPES = [
    (1, 1, 1, 4, 1),
    (2, 3, 2, 60, 3),
    (2, 63, 9, 60, 1),
    (1, 3, 9, 1152, 16),
    (1, 2, 57, 1152, 1),
]


def read(query, sources, scale, heads):
    """Read with the kernels, or in float64 with the definition."""
    if query.dtype == torch.float64:
        return definition.depth_attention(query, sources, scale, heads), sources
    return eager.depth_attention(gpu, query, sources, scale, heads)


def reads(values, query, heads, dtypes, lengths, scale=None):
    """Read the first sources, as many as each length says; return outputs and gradients."""
    dtypes = [dtypes[i % len(dtypes)] for i in range(len(values))]
    leaves = [v.detach().to(DEVICE, d) for v, d in zip(values, dtypes, strict=True)]
    query = query.detach().to(DEVICE, torch.float64 if torch.float64 in dtypes else torch.float32)
    leaves = [x.requires_grad_() for x in (query, *leaves)]
    seen, out = tuple(source(v) for v in leaves[1:]), []
    for length in lengths:
        h, handed = read(leaves[0], seen[:length], scale or query.shape[-1] ** -0.5, heads)
        seen = (*handed, *seen[length:])
        out.append(h)
    weights = [(torch.arange(h.numel()) * 5 % 7 - 3).view(h.shape).to(h) for h in out]
    return out, torch.autograd.grad(out, leaves, weights)  # -3 .. 3, of which none is rounded


def both(values, query, heads, dtypes, lengths, scale=None):
    found = reads(values, query, heads, dtypes, lengths, scale)
    stored = [v.to(dtypes[i % len(dtypes)]) for i, v in enumerate(values)]
    return found, reads(stored, query, heads, [torch.float64], lengths, scale)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_every_gradient_of_two_readers_equal_the_definition(shape, form):
    batch, tokens, count, width, heads = shape
    values, query = outputs(count, (batch, tokens, width)), queries(batch, tokens, width, form)
    found, wanted = both(values, query, heads, [torch.float32], [(count + 1) // 2, count])
    assert distance(found[0], wanted[0]) < 2e-6
    assert distance(found[1], wanted[1]) < 2e-5


@pytest.mark.parametrize(("low", "rounding"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
@pytest.mark.parametrize("wide", [(), (torch.float32,)])
def test_narrow_sources_are_computed_with_in_float32_also_beside_wide_ones(low, rounding, wide):
    """Only stored numbers are rounded: h to the widest type, each gradient to its own."""
    values, query = outputs(5, (2, 3, 60)), queries(2, 3, 60, "per token")
    dtypes = [*wide, low]
    found, wanted = both(values, query, 3, dtypes, [5])
    assert found[0][0].dtype == dtypes[0]
    assert [g.dtype for g in found[1][1:]] == [dtypes[i % len(dtypes)] for i in range(5)]
    assert distance(found[0], wanted[0]) < (1e-6 if wide else rounding)
    assert distance(found[1], wanted[1]) < rounding
    assert distance(found[1][:1], wanted[1][:1]) < 1e-5


def test_it_is_finite_and_right_where_sources_are_exactly_zero():
    values, query = outputs(4, (2, 3, 8)), queries(2, 3, 8, "per token")
    values[1] *= 0
    values[3] *= 0
    found, wanted = both(values, query, 1, [torch.float32], [4])
    assert distance(found[1], wanted[1]) < 1e-5
    _, gradients = reads([0 * v for v in values], query, 1, [torch.float32], [4])
    assert all(g.isfinite().all() for g in gradients)


def test_large_logits_neither_overflow_nor_lose_their_gradients():
    """Logits of some hundreds, whose rounding is 1e-5."""
    values, query = outputs(3, (1, 2, 8)), queries(1, 2, 8, "per token")
    found, wanted = both(values, query, 1, [torch.float32], [3], scale=30.0)
    assert distance(found[0], wanted[0]) < 1e-4
    assert all(g.isfinite().all() for g in found[1])
    h, _ = read(1e4 * values[2].float().to(DEVICE), made(values), 1.0, 1)
    torch.testing.assert_close(h, values[2].float().to(DEVICE))


def made(values):
    return [source(v.float().to(DEVICE)) for v in values]


def test_a_nan_is_handed_on():
    values = outputs(3, (1, 2, 8))
    values[1][0, 1, 3] = torch.nan
    h, _ = read(torch.ones(8, device=DEVICE), made(values), 1.0, 1)
    assert h[0, 0].isfinite().all() and h[0, 1].isnan().all()


def test_sources_may_lie_anywhere():
    """Rows at odd places of a larger tensor, and an axis the other way round."""
    values, query = outputs(2, (3, 5, 6)), queries(3, 5, 6, "one").float().detach().to(DEVICE)
    apart = [v.float().to(DEVICE) for v in values]
    inside = torch.cat([torch.zeros(1, device=DEVICE), apart[0].flatten()])[1:].view(3, 5, 6)
    turned = apart[1].transpose(0, 1).contiguous().transpose(0, 1)
    found, _ = read(query, [source(inside), source(turned)], 0.5, 1)
    wanted, _ = read(query, [source(v) for v in apart], 0.5, 1)
    torch.testing.assert_close(found, wanted)


def test_the_operator_of_a_graph_is_sound_with_these_kernels(monkeypatch):
    monkeypatch.setattr(graph, "backend", lambda query: gpu)
    values = [v.float().to(DEVICE).requires_grad_() for v in outputs(3, (2, 3, 8))]
    query = queries(2, 3, 8, "per sample").detach().float().to(DEVICE).requires_grad_()
    norms = [inverse_rms(v.detach()) for v in values]
    torch.library.opcheck(graph._forward, (query, values, norms, 0.5, 2))


def test_only_float32_and_one_narrower_type_are_taken():
    x = torch.ones(2, device=DEVICE)
    assert takes(x, x)
    assert not takes(x, x.double())
    assert takes(x, x.bfloat16()) == (DEVICE == "cuda")
    assert not takes(x, x.bfloat16(), x.half())


COMPILE = """
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from darbench.ops.depth_attention import gpu

TYPES = dict(
    query="*fp32", step_b="i32", step_t="i32", table="*i64", count="i32", scale="fp32",
    out="*bf16", grad="*bf16", kept="*fp32", dquery="*fp32", rows="i32", tokens="i32",
)
FIXED = dict(block=2, heads=3, size=128, stored=tl.bfloat16, mixed=True, aligned=16)
for kernel in (gpu._forward, gpu._backward):
    signature = {name: TYPES.get(name, "constexpr") for name in kernel.arg_names}
    source = ASTSource(kernel, signature, FIXED)
    ptx = triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["ptx"]
    assert ".cg.shared.global" in ptx  # sources are fetched ahead, 16 bytes a thread
"""


def test_the_compiler_takes_the_kernels_too(tmp_path):
    """The interpreter allows more; compiling for a GPU needs none."""
    settings = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], capture_output=True, text=True, env=settings, timeout=100
    )
    assert done.returncode == 0, done.stderr


WITHOUT_TRITON = """
import importlib.util, warnings
import torch
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "triton" else find(name, *rest)
torch.cuda.is_available = lambda: True
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from darbench.ops.depth_attention import depth_attention, source
    v = torch.randn(2, 3, 8)
    depth_attention(torch.ones(8), [source(v)], 1.0)
print([str(w.message) for w in caught])
"""


def test_without_triton_on_a_machine_with_a_gpu_it_is_said_once():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRITON], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("triton is not installed") == 1
