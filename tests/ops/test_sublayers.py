"""The native sublayers against the definition in float64, and the definition against formulas."""

import math
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad

from darbench.ops import native, sublayers
from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import kernel, over_batch
from darbench.ops.sublayers import conditioning, definition, wide
from darbench.ops.sublayers.gelu import gelu, gelu_backward
from darbench.ops.sublayers.narrow import attention, mlp
from tests.ops.derivatives import draw, equal, gradients

BATCH, WIDTH, HEADS = 3, 32, 4


def module(weight, bias):
    """A linear with these tensors, which may be leaves."""
    made = nn.utils.skip_init(nn.Linear, *reversed(weight.shape))
    made._parameters |= {"weight": weight, "bias": bias}
    return made


def linear(outputs, inputs, seed):
    return draw(outputs, inputs, seed=seed) / math.sqrt(inputs), draw(outputs, seed=seed + 1)


def given(kind, tokens=5, width=WIDTH, hidden=None, batch=BATCH):
    """h, shift, scale, gate and the two linears of a sublayer, in float64."""
    inner = 3 * width if kind == "attention" else hidden or 4 * width
    second = linear(width, width if kind == "attention" else inner, seed=7)
    rows = (draw(batch, 1, width, seed=s) for s in (1, 2, 3))
    return [draw(batch, tokens, width), *rows, *linear(inner, width, seed=5), *second]


def sublayer(kind, heads=HEADS, of=sublayers):
    """The sublayer as a function of what `given` returns."""

    def apply(h, shift, scale, gate, w1, b1, w2, b2):
        arguments = h, (shift, scale, gate), module(w1, b1), module(w2, b2)
        return of.attention(*arguments, heads) if kind == "attention" else of.mlp(*arguments)

    return apply


# Values and gradients


@pytest.mark.parametrize("tokens", [1, 2, 15, 16, 17, 64, 65])
@pytest.mark.parametrize("features", [4, 8, 24, 32, 64])
def test_attention_equals_the_definition(tokens, features):
    equal(sublayer("attention", heads=4), given("attention", tokens, width=4 * features))


@pytest.mark.parametrize("tokens", [1, 16, 33])
@pytest.mark.parametrize(("width", "hidden"), [(16, 32), (32, 128), (48, 7), (384, 384)])
def test_the_mlp_equals_the_definition(tokens, width, hidden):
    equal(sublayer("mlp"), given("mlp", tokens, width, hidden))


@pytest.mark.parametrize("kind", ["attention", "mlp"])
@pytest.mark.parametrize("batch", [1, 4])
def test_modulations_may_be_parts_of_one_tensor_or_the_same_for_all(kind, batch):
    h, _, _, _, *linears = given(kind, batch=batch)

    def of_parts(six, *rest):
        shift, scale, gate, *_ = six.unsqueeze(1).chunk(6, dim=-1)
        return sublayer(kind)(rest[0], shift, scale, 1 + gate, *rest[1:])

    def without_gate(six, *rest):
        shift, scale, gate, *_ = six.unsqueeze(1).chunk(6, dim=-1)
        return sublayer(kind)(rest[0], shift, scale, torch.ones_like(gate), *rest[1:])

    for function in (of_parts, without_gate):
        equal(function, [draw(batch, 6 * WIDTH, seed=4), h, *linears])


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_one_row_of_modulation_for_all_samples_equals_the_definition(kind):
    h, *rest = given(kind)
    rest[:3] = (draw(1, 1, WIDTH, seed=s) for s in (1, 2, 3))
    equal(sublayer(kind), [h, *rest])


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_tokens_with_gaps_between_them_are_the_same_tokens(kind):
    h, *rest = given(kind)
    equal(lambda h, *rest: sublayer(kind)(h.mT, *rest), [h.mT.contiguous(), *rest])


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_weights_in_another_memory_order_are_the_same_weights(kind):
    *rest, w2, b2 = given(kind)
    equal(lambda *x: sublayer(kind)(*x[:6], x[6].mT, x[7]), [*rest, w2.mT.contiguous(), b2])


def test_the_modulations_of_all_blocks_equal_the_definition():
    flat = [x for block in range(3) for x in linear(6 * WIDTH, WIDTH, seed=2 * block)]

    def joined(c, *flat):
        made = sublayers.adaln(c, [*map(module, flat[::2], flat[1::2])])
        return torch.stack([part for six in made for part in six])

    equal(joined, [draw(BATCH, WIDTH), *flat])


def test_blocks_whose_modulation_nothing_used_learn_nothing_from_it():
    flat = [x.float() for block in range(2) for x in linear(6 * WIDTH, WIDTH, seed=2 * block)]
    c, *leaves = (x.requires_grad_() for x in [draw(BATCH, WIDTH).float(), *flat])
    torch.cat(sublayers.adaln(c, [module(*leaves[:2]), module(*leaves[2:])])[0]).sum().backward()
    alone = c.detach().clone().requires_grad_()
    torch.cat(sublayers.adaln(alone, [module(*flat[:2])])[0]).sum().backward()
    torch.testing.assert_close(c.grad, alone.grad)
    assert all(x.grad.any() for x in leaves[:2]) and leaves[2].grad is leaves[3].grad is None


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_a_second_derivative_is_refused_at_once(kind):
    leaves = [x.float().requires_grad_() for x in given(kind)]
    with pytest.raises(RuntimeError, match="native kernels have first derivatives only"):
        torch.autograd.grad(sublayer(kind)(*leaves).sum(), leaves, create_graph=True)


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_derivatives_in_forward_mode_are_refused_without_gradients_too(kind):
    h, *others = [x.float() for x in given(kind)]
    with torch.no_grad(), forward_ad.dual_level():
        dual = forward_ad.make_dual(h, torch.ones_like(h))
        with pytest.raises(RuntimeError, match="forward mode AD"):
            sublayer(kind)(dual, *others)


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_frozen_inputs_have_no_gradient_and_the_others_theirs(kind):
    inputs = [x.float() for x in given(kind)]
    leaves = [x.clone().requires_grad_() for x in inputs]
    whole = torch.autograd.grad(sublayer(kind)(*leaves).sum(), leaves)
    for i in range(len(inputs)):
        alone = [x.clone().requires_grad_(i == j) for j, x in enumerate(inputs)]
        sublayer(kind)(*alone).sum().backward()
        torch.testing.assert_close(alone[i].grad, whole[i])
        assert all(x.grad is None for j, x in enumerate(alone) if j != i)


@pytest.mark.parametrize("kind", ["attention", "mlp"])
def test_without_gradients_and_on_two_threads_the_values_are_the_same(kind):
    inputs = [x.float() for x in given(kind, tokens=64, batch=16)]
    wanted = gradients(sublayer(kind), inputs, torch.float32)
    with torch.no_grad():
        assert torch.equal(sublayer(kind)(*inputs), wanted[0])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = gradients(sublayer(kind), inputs, torch.float32)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(found, wanted, strict=True):  # sums over samples are in another order
        assert (a - b).norm() < 1e-6 * b.norm()


# Where numbers are large, or none


def test_attention_among_far_scores_is_the_nearest_value():
    """Scores of 1e4 overflow an exponential that is not taken relative to the largest."""
    h, *rest = (x.float() for x in given("attention", tokens=16))
    rest[3] = rest[3] * 100
    found = sublayer("attention")(h, *rest)
    wanted = sublayer("attention", of=definition)(*(x.double() for x in (h, *rest)))
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-2)
    assert found.isfinite().all()


@pytest.mark.parametrize("kind", ["attention", "mlp"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_none_is_seen_in_its_sample_and_in_no_other(kind, bad):
    h, *rest = (x.float() for x in given(kind, tokens=16))
    h[1, 3, 5] = bad
    h.requires_grad_()
    out = sublayer(kind)(h, *rest)
    assert out[1].isnan().any() and out[::2].isfinite().all()
    (slope,) = torch.autograd.grad(out.sum(), h)
    assert slope[1].isnan().any() and slope[::2].isfinite().all()


@kernel
def _exp(x, out, start, stop):
    for at in range(64 * start, 64 * stop, 64):
        vec.store(out + at, vec.exp(vec.load(x + at, 16)))


def test_the_exponential_of_kernels_is_right_to_rounding():
    x = torch.cat([torch.linspace(-87, 88, 40_000), torch.linspace(-1, 1, 9_984)])
    out = torch.empty_like(x)
    over_batch(_exp, (x, out), x.numel() // 16, x.numel())
    wanted, exact = x.double().exp(), x.abs() < 10
    assert ((out - wanted) / wanted)[exact].abs().max() < 4e-7
    torch.testing.assert_close(out.double(), wanted, rtol=2e-6, atol=0)


def test_the_exponential_of_kernels_hands_a_nan_on_and_is_next_to_nothing_far_below():
    x = torch.tensor([-torch.inf, -1e30, -100.0, torch.nan]).repeat(4)
    out = torch.empty_like(x)
    over_batch(_exp, (x, out), 1, 16)
    below, none = out.view(4, 4)[:, :3], out.view(4, 4)[:, 3]
    assert none.isnan().all() and (below >= 0).all() and (below < 2e-38).all()


@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0, 4.0, 12.0])
def test_gelu_and_its_slope_are_those_of_the_formula(size):
    x = (size * draw(2, 60, 64)).requires_grad_()
    wanted = x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    (slope,) = torch.autograd.grad(wanted.sum(), x)
    given = x.detach().float()
    found_slope, total = gelu_backward(given, torch.ones_like(given))
    torch.testing.assert_close(gelu(given).double(), wanted.detach(), rtol=2e-6, atol=1e-6 * size)
    torch.testing.assert_close(total, found_slope.sum((0, 1)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found_slope.double(), slope, rtol=2e-6, atol=1e-6)


def test_far_from_zero_gelu_is_the_identity_or_nothing_and_a_nan_is_handed_on():
    far = torch.tensor([-1e30, -1e12, -60.0, -11.0, 11.0, 60.0, 1e12, 1e30]).repeat(2)
    y, (slope, _) = gelu(far), gelu_backward(far, torch.ones_like(far))
    torch.testing.assert_close(y, far.clamp(min=0), rtol=0, atol=1e-7)
    torch.testing.assert_close(slope, (far > 0).float(), rtol=0, atol=1e-30)
    none = torch.full((16,), torch.nan)
    slope, _ = gelu_backward(none, torch.ones(16))
    assert gelu(none).isnan().all() and slope.isnan().all()


# The definition


def test_attention_is_that_of_the_formula():
    h, shift, scale, gate, w, b, w_out, b_out = given("attention")
    centred = h - h.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    q, k, v = ((normed * (1 + scale) + shift) @ w.T + b).chunk(3, dim=-1)
    heads = []
    for part in zip(*(x.chunk(HEADS, -1) for x in (q, k, v)), strict=True):
        weight = (part[0] @ part[1].mT / math.sqrt(WIDTH / HEADS)).softmax(-1)
        heads.append(weight @ part[2])
    wanted = gate * (torch.cat(heads, -1) @ w_out.T + b_out)
    found = sublayer("attention")(h, shift, scale, gate, w, b, w_out, b_out)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)


def test_the_mlp_is_that_of_the_formula_and_has_the_tanh_form_of_gelu():
    h, shift, scale, gate, w1, b1, w2, b2 = given("mlp")
    centred = h - h.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    a = (normed * (1 + scale) + shift) @ w1.T + b1
    act = a / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))
    found = sublayer("mlp")(h, shift, scale, gate, w1, b1, w2, b2)
    torch.testing.assert_close(found, gate * (act @ w2.T + b2), rtol=1e-12, atol=1e-13)


def test_the_modulations_are_a_linear_of_silu():
    c, (w, b) = draw(BATCH, WIDTH), linear(6 * WIDTH, WIDTH, seed=1)
    (six,) = sublayers.adaln(c, [module(w, b)])
    wanted = (c * torch.sigmoid(c) @ w.T + b).view(BATCH, 6, 1, WIDTH).unbind(1)
    torch.testing.assert_close(six, wanted, rtol=1e-12, atol=1e-13)


# What takes the definition


@pytest.fixture
def natively(monkeypatch):
    """The names of the native functions that were called."""
    called = []
    functions = attention.Attention, mlp.Mlp, wide.Attention, wide.Mlp, conditioning.AdaLN
    for function in functions:
        monkeypatch.setattr(function, "apply", partial(recorded, function, function.apply, called))
    return called


def recorded(function, apply, called, *arguments):
    called.append(f"{function.__module__.rpartition('.')[2]}.{function.__name__}")
    return apply(*arguments)


def all_three(inputs=given, dtype=torch.float32):
    attention, mlp = ([x.to(dtype) for x in inputs(kind)] for kind in ("attention", "mlp"))
    width = attention[0].shape[-1]
    linear_of_six = [x.to(dtype) for x in linear(6 * width, width, seed=1)]
    (six,) = sublayers.adaln(attention[1].flatten(1), [module(*linear_of_six)])
    return *six, sublayer("attention")(*attention), sublayer("mlp")(*mlp)


@pytest.mark.parametrize(
    ("width", "tokens", "wanted"),
    [
        (32, 64, ["conditioning.AdaLN", "attention.Attention", "mlp.Mlp"]),
        (32, 65, ["conditioning.AdaLN", "wide.Attention", "mlp.Mlp"]),
        (384, 2, ["wide.Attention", "wide.Mlp"]),
    ],
)
def test_float32_on_the_cpu_is_native(natively, width, tokens, wanted):
    inputs = partial(given, width=width, tokens=tokens)
    assert all(native.takes(x) for x in all_three(inputs))
    assert natively == wanted


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_take_the_definition(natively, dtype):
    assert all(x.dtype == dtype for x in all_three(dtype=dtype)) and not natively


def test_autocast_takes_the_definition_and_hands_over_float32(natively):
    """A residual stream that was rounded at every site would lose small updates."""
    with torch.autocast("cpu", torch.bfloat16):
        made = all_three()
    assert all(x.dtype == torch.float32 for x in made) and not natively


def test_widths_that_are_no_whole_vectors_take_the_definition(natively):
    *_, attention, mlp = all_three(partial(given, width=24))
    assert attention.shape == mlp.shape == (BATCH, 5, 24) and natively == ["conditioning.AdaLN"]


def test_tensors_without_content_take_the_definition(natively):
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cpu"):
        h = torch.randn(2, 3, WIDTH, requires_grad=True)
        rows = torch.randn(3, 2, 1, WIDTH).unbind()
        linears = [nn.Linear(WIDTH, n * WIDTH) for n in (3, 1)]
        sublayers.attention(h, rows, *linears, HEADS).sum().backward()
    assert h.grad.shape == (2, 3, WIDTH) and not natively


def test_linears_with_hooks_or_of_another_class_are_called(natively):
    inputs = [x.float() for x in given("mlp")]
    rows, (fc1, fc2) = inputs[1:4], (module(*inputs[4:6]), module(*inputs[6:]))
    wanted = sublayers.mlp(inputs[0], rows, fc1, fc2)
    assert natively == ["mlp.Mlp"]

    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    double = Doubled(*fc2.weight.shape[::-1])
    double.load_state_dict(fc2.state_dict())
    torch.testing.assert_close(sublayers.mlp(inputs[0], rows, fc1, double), 2 * wanted)
    fc2.register_forward_hook(lambda module, given, out: 3 * out)
    torch.testing.assert_close(sublayers.mlp(inputs[0], rows, fc1, fc2), 3 * wanted)
    assert natively == ["mlp.Mlp"]


@pytest.mark.parametrize("shapes", [((512, 32), (32, 16)), ((128, 32), (32, 64))])
def test_linears_that_do_not_fit_are_refused_and_nothing_beyond_them_is_read(shapes):
    inputs = [x.float() for x in given("mlp")[:4]]
    linears = [module(torch.zeros(shape), torch.zeros(shape[0])) for shape in shapes]
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        sublayers.mlp(inputs[0], inputs[1:], *linears)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(RuntimeError, match="unflatten"):
        sublayer("attention", heads=3)(*(x.float() for x in given("attention")))


def test_ctrl_c_frees_nothing_that_a_thread_still_reads():
    """It runs in a process of its own, for it could crash this one."""
    program = """
import signal, torch
from torch import nn
from darbench.ops import sublayers
torch.set_num_threads(2)
fc1, fc2 = nn.Linear(32, 128), nn.Linear(128, 32)
def once():
    h, *rows = torch.zeros(6000, 16, 32), *(torch.zeros(6000, 1, 32) for _ in range(3))
    sublayers.mlp(h.requires_grad_(), rows, fc1, fc2).sum().backward()
once()
def stop(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
for after in (0.002, 0.01, 0.02, 0.04, 0.08, 0.12):
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        for _ in range(100):
            once()
    except KeyboardInterrupt:
        print("stopped")
"""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # freed is gone at once
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == 6 * ["stopped"], done.stderr
    assert done.returncode == 0


def test_torch_func_and_compiled_graphs_take_the_definition(natively):
    h, *rows = (x.float() for x in given("mlp")[:4])
    fc1, fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
    torch.func.grad(lambda h: sublayers.mlp(h, rows, fc1, fc2).sum())(h)
    compiled = torch.compile(sublayers.mlp, backend="eager", fullgraph=True)
    found = compiled(h, rows, fc1, fc2)
    torch.testing.assert_close(found, definition.mlp(h, rows, fc1, fc2))
    assert not natively
