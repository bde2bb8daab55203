"""The native kernels against the definition in float64, which has oracles of its own."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from darbench.ops import native
from darbench.ops.depth_attention import cpu, depth_attention, graph, key_norm, source
from darbench.ops.native import memory
from darbench.ops.norm import inverse_rms
from tests.ops.depth import FORMS, distance, outputs, queries

# batch, tokens, sources, width, heads
SHAPES = [
    (1, 1, 1, 4, 1),
    (2, 63, 7, 60, 1),
    (3, 5, 18, 16, 4),
    (2, 3, 57, 1152, 1),
    (2, 9, 5, 60, 3),
    (2, 20, 6, 48, 1),
    (2, 17, 9, 64, 2),
]


def readers(values, query, heads, dtype):
    """Every prefix of the sources is read, as a routing does; all outputs, and all gradients."""
    values = [v.to(dtype).requires_grad_() for v in values]
    query = query.detach().to(dtype).requires_grad_()
    seen, out = (), []
    for v in values:
        h, seen = depth_attention(query, (*seen, source(v)), query.shape[-1] ** -0.5, heads)
        out.append(h)
    weighted = sum((h * torch.cos(torch.arange(h.numel())).view(h.shape)).sum() for h in out)
    return out, torch.autograd.grad(weighted, [query, *values])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_every_gradient_of_many_readers_equal_the_definition(shape, form):
    batch, tokens, count, width, heads = shape
    values, query = outputs(count, (batch, tokens, width)), queries(batch, tokens, width, form)
    found, wanted = (readers(values, query, heads, d) for d in (torch.float32, torch.float64))
    assert native.takes(found[0][0])
    assert distance(found[0], wanted[0]) < 1e-6
    assert distance(found[1], wanted[1]) < 1e-5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [64, 48, 60])
def test_gradients_written_past_the_cache_and_into_lent_memory_are_the_same(
    width, form, monkeypatch
):
    monkeypatch.setattr(cpu, "BEYOND", 0)
    monkeypatch.setattr(memory, "LEAST", 0)
    values, query = outputs(5, (3, 20, width)), queries(3, 20, width, form)
    wanted = readers(values, query, 1, torch.float64)
    for _ in range(3):  # from the second time on in memory that was written before
        assert distance(readers(values, query, 1, torch.float32)[1], wanted[1]) < 1e-5


def test_it_is_finite_and_right_where_sources_are_exactly_zero():
    values = outputs(4, (2, 3, 8))
    values[1] *= 0
    values[3] *= 0
    query = queries(2, 3, 8, "per token")
    found, wanted = (readers(values, query, 1, d) for d in (torch.float32, torch.float64))
    assert distance(found[1], wanted[1]) < 1e-5
    zeros = [0 * v for v in values]
    _, gradients = readers(zeros, query, 1, torch.float32)
    assert all(g.isfinite().all() for g in gradients)


def test_a_nan_is_handed_on():
    values = [v.float() for v in outputs(3, (1, 2, 8))]
    values[1][0, 1, 3] = torch.nan
    h, _ = depth_attention(torch.ones(8), [source(v) for v in values], 1.0)
    assert h[0, 0].isfinite().all() and h[0, 1].isnan().all()


def test_extreme_logits_do_not_overflow():
    values = [v.float() for v in outputs(3, (1, 2, 8))]
    h, _ = depth_attention(1e4 * values[2][0, 0], [source(v) for v in values], 1.0)
    torch.testing.assert_close(h[0, 0], values[2][0, 0])


@pytest.mark.parametrize(
    "shape", [(3, 8), (3, 5, 8), (2, 3, 8), (4,), (2, 1, 4), (1,), (), (1, 2, 5, 8)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_query_that_does_not_fit_is_refused(shape, dtype):
    read = [source(v.to(dtype)) for v in outputs(2, (2, 5, 8))]
    with pytest.raises(ValueError, match=r"values \(2, 5, 8\): .* the query be \(D,\)"):
        depth_attention(torch.ones(shape, dtype=dtype), read, 1.0)


def test_sources_of_different_shapes_are_refused():
    read = [source(torch.ones(2, 5, 8)), source(torch.ones(2, 4, 8))]
    with pytest.raises(ValueError, match=r"values \(2, 4, 8\), \(2, 5, 8\): values must share a"):
        depth_attention(torch.ones(8), read, 1.0)


def test_within_torch_func_the_definition_is_computed():
    values = [v.float() for v in outputs(3, (2, 3, 8))]
    query = torch.linspace(-1, 1, 8)

    def loss(q):
        return depth_attention(q, [source(v) for v in values], 0.5)[0].square().sum()

    wanted = torch.autograd.functional.jacobian(loss, query)
    torch.testing.assert_close(torch.func.grad(loss)(query), wanted, rtol=1e-5, atol=1e-5)


def test_ctrl_c_frees_nothing_that_a_thread_still_writes_to():
    """It runs in a process of its own, for it could crash this one."""
    program = """
import signal, torch
from darbench.ops.sublayers.gelu import gelu
torch.set_num_threads(2)
gelu(torch.zeros(8, 64, 64))
def stop(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
for after in (0.002, 0.005, 0.01, 0.015, 0.02, 0.03):
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        for _ in range(100):
            gelu(torch.ones(8, 1024, 2048))
    except KeyboardInterrupt:
        print("stopped")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == 6 * ["stopped"], done.stderr
    assert done.returncode == 0


def test_threads_do_not_change_a_bit():
    values, query = outputs(6, (8, 64, 128)), queries(8, 64, 128, "one")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = readers(values, query, 1, torch.float32)
        torch.set_num_threads(2)
        two = readers(values, query, 1, torch.float32)
    finally:
        torch.set_num_threads(before)
    for a, b in zip([*one[0], *one[1]], [*two[0], *two[1]], strict=True):
        assert torch.equal(a, b)


def test_a_branch_off_the_trail_adds_its_gradient():
    """There are two readers of the same sources, and the value is used besides."""

    def loss(dtype):
        v = [x.to(dtype).requires_grad_() for x in outputs(3, (2, 3, 8))]
        q = queries(2, 3, 8, "one").detach().to(dtype)
        first, seen = depth_attention(q, [source(x) for x in v], 0.5)
        second, _ = depth_attention(2 * q, seen, 0.5)
        third, _ = depth_attention(3 * q, seen, 0.5)
        total = (first + second * third).square().sum() + (seen[1].value * v[2]).sum()
        return torch.autograd.grad(total, v)

    assert distance(loss(torch.float32), loss(torch.float64)) < 1e-5


def test_a_sum_of_sources_shares_its_gradient_with_nobody():
    """Such is the open block of AttnRes: its gradient reaches both parts unchanged."""

    def gradients(dtype):
        v = [x.to(dtype).requires_grad_() for x in outputs(3, (2, 3, 8))]
        q = queries(2, 3, 8, "one").detach().to(dtype)
        h, seen = depth_attention(q, [source(v[0]), source(v[1])], 0.5)
        k, _ = depth_attention(q, [seen[0], seen[1] + source(v[2])], 0.5)
        return torch.autograd.grad((h * k).sum(), v)

    assert distance(gradients(torch.float32), gradients(torch.float64)) < 1e-5


def test_mixed_precision_falls_back_to_the_definition_with_the_gradient_of_the_norm():
    v = [x.float().requires_grad_() for x in outputs(3, (2, 3, 8))]
    made = [source(x) for x in v]
    assert key_norm(made[1]).requires_grad
    q = queries(2, 3, 8, "one").detach()
    h, _ = depth_attention(q, made, 0.5)  # a float64 query
    wanted = readers_once([x.detach().double() for x in v], q)
    found = torch.autograd.grad(h.sum(), v)
    assert distance(found, wanted) < 1e-5


def test_a_query_computed_under_autocast_is_read_by_the_native_kernel():
    values = [v.float() for v in outputs(3, (2, 5, 8))]
    query = queries(2, 5, 8, "per token").detach().bfloat16()
    found, _ = depth_attention(query, [source(v) for v in values], 0.5)
    wanted, _ = depth_attention(query.float(), [source(v) for v in values], 0.5)
    assert torch.equal(found, wanted)


def readers_once(values, query):
    values = [v.requires_grad_() for v in values]
    return torch.autograd.grad(
        depth_attention(query, [source(v) for v in values], 0.5)[0].sum(), values
    )


def test_activations_kept_are_a_fraction_of_the_naive_ones():
    values = [v.float().requires_grad_() for v in outputs(18, (2, 16, 384))]
    query = torch.randn(384, requires_grad=True)

    def kept(action) -> int:
        given = {x.untyped_storage().data_ptr() for x in (*values, query)}
        sizes: dict[int, int] = {}

        def keep(x):
            sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x.detach()  # with its history, an output would keep itself alive

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            out = action()
        del out
        return sum(n for pointer, n in sizes.items() if pointer not in given)

    def naive():
        v = torch.stack(values)
        keys = nn.functional.rms_norm(v, (384,), eps=1e-6)
        alpha = torch.softmax((keys * query).sum(-1) * 384**-0.5, 0)
        return (alpha.unsqueeze(-1) * v).sum(0)

    def ours():
        return depth_attention(query, [source(v) for v in values], 384**-0.5)[0]

    assert kept(ours) < 0.05 * kept(naive)


def test_the_operator_of_a_graph_is_sound_and_equals_the_definition():
    values = [v.float().requires_grad_() for v in outputs(3, (2, 3, 8))]
    query = queries(2, 3, 8, "per sample").detach().float().requires_grad_()
    norms = [inverse_rms(v.detach()) for v in values]
    torch.library.opcheck(graph._forward, (query, values, norms, 0.5, 2))

    class Reads(nn.Module):
        def forward(self, q, *v):
            h, seen = depth_attention(q, [source(x) for x in v], 0.5, 2)
            return h * depth_attention(q, seen, 0.5, 2)[0]

    compiled = torch.compile(Reads(), fullgraph=True, backend="aot_eager")
    inputs = (query, *values)
    found, wanted = compiled(*inputs), Reads()(*(x.double() for x in inputs))
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    found = torch.autograd.grad(found.sum(), inputs)
    wanted = torch.autograd.grad(wanted.sum(), inputs)
    assert distance(found, wanted) < 1e-5


WITHOUT_NUMBA = """
import importlib.util, warnings
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else find(name, *rest)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from darbench.ops.depth_attention import depth_attention, source
import torch
v = torch.randn(2, 3, 8)
h, _ = depth_attention(torch.ones(8), [source(v)], 1.0)
assert torch.allclose(h, v)
print([str(w.message) for w in caught])
"""


def test_without_numba_it_is_said_once_and_the_definition_runs():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("numba is not installed") == 1
