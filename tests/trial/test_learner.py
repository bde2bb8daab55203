"""The optimiser, the average of the weights, and the objective they are trained with."""

import copy

import pytest
import torch
from torch import nn

from darbench.data import load
from darbench.errors import BadInput
from darbench.model.sit import SiT
from darbench.records.settings import Training
from darbench.routing.add import Add
from darbench.trial.batches import Batches
from darbench.trial.build import build_model
from darbench.trial.learner import make_optimizer
from tests.make.models import sit
from tests.make.trials import TINY
from tests.trial.routings import BnRead, begin_own
from tests.trial.runs import aligned, begin


def rates(model, training):
    """Learning rate and weight decay of every parameter, by name."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in make_optimizer(model, training).param_groups
        for p in group["params"]
    }


def test_the_queries_of_a_routing_learn_at_its_multiple_of_the_rate():
    training = Training(lr=1e-3, weight_decay=0.1)
    found = rates(sit(("dar", {"lr_mult": 10.0})), training)
    assert {name for name, (lr, _) in found.items() if lr == pytest.approx(1e-2)} == {
        "routing.w",
        "routing.conditioner.e_t",
    }
    others = [rate for name, rate in found.items() if name == "routing.gain"]
    others += [rate for name, rate in found.items() if not name.startswith("routing.")]
    assert set(others) == {(1e-3, 0.1)}


class TwoGroups(Add):
    """Two parameters with rules of their own."""

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.a, self.b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))

    def parameter_groups(self):
        return [
            {"params": [self.a], "lr_mult": 3.0, "weight_decay": 0.0},
            {"params": [self.b], "lr_mult": 1.0, "weight_decay": None},
        ]


def model_of(routing):
    return SiT(routing, depth=1, width=16, heads=2, patch=2, side=4, channels=1, classes=2)


def test_a_routings_groups_may_turn_weight_decay_off():
    found = rates(model_of(TwoGroups), Training(lr=1e-3, weight_decay=0.1))
    assert found["routing.a"] == (pytest.approx(3e-3), 0.0)
    assert found["routing.b"] == (1e-3, 0.1)


def test_every_trained_parameter_is_in_one_group_and_positions_in_none():
    model = sit(("hyper", {}))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert set(rates(model, Training())) == trained
    assert "pos_embed" not in trained


def test_a_routing_that_forgets_a_parameter_is_caught():
    class Forgetful(TwoGroups):
        def parameter_groups(self):
            return super().parameter_groups()[:1]

    with pytest.raises(AssertionError, match="parameter groups hold"):
        make_optimizer(model_of(Forgetful), Training())


def test_a_step_is_adamw_on_the_mean_velocity_loss():
    run = begin("dar", params={"query": "static", "lr_mult": 5.0}, weight_decay=0.01)
    twin = build_model("dar", {"query": "static"}, TINY, load("digits"), seed=0)
    queries = twin.routing.w
    others = [p for p in twin.parameters() if p.requires_grad and p is not queries]
    optimizer = torch.optim.AdamW(
        [{"params": others}, {"params": [queries], "lr": 5 * 6e-3}],
        lr=6e-3,
        betas=(0.9, 0.999),
        weight_decay=0.01,
    )
    batches = Batches(load("digits"), 8, 0.1, 0)
    for step in (1, 2, 3):
        run.step(step)
        x1, label, x0, t = batches(step)
        s = t.view(-1, 1, 1, 1)
        loss = (twin((1 - s) * x0 + s * x1, t, label) - (x1 - x0)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert run.losses[-1].item() == pytest.approx(loss.item(), rel=1e-5)
    for (name, a), b in zip(run.learner.model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)


def test_the_average_is_the_closed_form_over_all_parameters_routing_included():
    run = begin("dar", params={"query": "dynamic"}, ema=0.9)
    history = [[p.detach().clone() for p in run.learner.model.parameters()]]
    assert all(map(torch.equal, run.learner.ema.parameters(), history[0]))
    for step in range(1, 5):
        run.step(step)
        history.append([p.detach().clone() for p in run.learner.model.parameters()])
    for i, (name, average) in enumerate(run.learner.ema.named_parameters()):
        wanted = 0.9**4 * history[0][i]
        wanted = wanted + sum(0.1 * 0.9 ** (4 - k) * history[k][i] for k in range(1, 5))
        torch.testing.assert_close(average, wanted, rtol=1e-5, atol=1e-7, msg=name)
    moved = dict(run.learner.ema.named_parameters())["routing.w_q"]
    assert moved.any()
    assert not any(p.requires_grad for p in run.learner.ema.parameters())


def test_the_evaluated_model_has_the_buffers_of_the_trained_one(monkeypatch):
    """Its statistics, as one gets them by hand: momentum 0.1 from mean 0 and variance 1."""
    run = begin_own(monkeypatch, BnRead, ema=0.9)
    seen = []
    run.learner.model.routing.norms[0].register_forward_hook(lambda _, x, y: seen.append(x[0]))
    for step in range(1, 4):
        run.step(step)
    mean, var = torch.zeros(32), torch.ones(32)
    for x in seen:
        mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0)
    norm = run.learner.evaluated().routing.norms[0]
    torch.testing.assert_close(norm.running_mean, mean.detach())
    torch.testing.assert_close(norm.running_var, var.detach())
    assert norm.num_batches_tracked.item() == 3
    assert not torch.equal(norm.weight, run.learner.model.routing.norms[0].weight)


def test_a_report_is_of_the_average_with_those_buffers(monkeypatch):
    run = begin_own(monkeypatch, BnRead, steps=20, lr=1e-2)
    for step in range(1, 21):
        run.step(step)
    found = run.report(run.checkpoints[-1]).measured["val_loss"]
    twin = copy.deepcopy(run.learner.model).eval()
    for own, average in zip(twin.parameters(), run.learner.ema.parameters(), strict=True):
        own.data.copy_(average)
    assert found == run.evaluator.loss(twin).total
    for norm in twin.routing.norms:
        norm.reset_running_stats()
    assert abs(run.evaluator.loss(twin).total / found - 1) > 0.01  # the statistics matter


class Growing(Add):
    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.register_buffer("seen", torch.zeros(0))

    def begin(self, x, cond):
        self.seen = torch.cat([self.seen, x.detach().mean()[None]])
        return x


def test_a_buffer_that_changes_its_shape_is_refused(monkeypatch):
    with pytest.raises(BadInput, match=r"buffer routing.seen from torch.float32 \(0,\) to .*1,"):
        begin_own(monkeypatch, Growing)


class PreviousWeight(Add):
    """It means to hold the weight of the step before, and holds the weight itself."""

    at_once = False

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.w = nn.Parameter(torch.ones(width))
        self.register_buffer("prev", self.w.detach() if self.at_once else torch.zeros(width))

    def begin(self, x, cond):
        if self.training:
            self.prev = self.w.detach()
        return self.w * x


class WeightAtOnce(PreviousWeight):
    at_once = True


@pytest.mark.parametrize("cls", [PreviousWeight, WeightAtOnce])
def test_a_buffer_that_is_the_memory_of_a_weight_is_refused(monkeypatch, cls):
    """Of the evaluated model it would be the trained weight in place of the average."""
    with pytest.raises(BadInput, match=r"routing\.prev shares its memory with .* routing\.w;"):
        begin_own(monkeypatch, cls)


class WideBuffer(PreviousWeight):
    """A buffer that nobody can write into: all its numbers are one in memory."""

    def begin(self, x, cond):
        if self.training:
            self.prev = self.w.detach().mean().expand(len(self.w))
        return self.w * x


def test_a_rehearsal_puts_buffers_back_and_touches_no_weight(monkeypatch):
    run = begin_own(monkeypatch, WideBuffer)
    routing = run.learner.model.routing
    assert routing.w.eq(1).all() and routing.prev.eq(0).all()
    run.step(1)
    assert routing.prev.stride() == (0,)
    kept = routing.prev
    run._rehearse(2)
    assert routing.prev is kept
    average = run.learner.evaluated().routing
    assert average.prev.eq(1).all() and average.prev is not kept
    assert run.report(1).measured["status"] == "ok"


def test_bfloat16_learns_the_same_and_keeps_the_weights_in_float32():
    """Autocast rounds; it must not change what is learnt."""
    runs = {p: begin("dar", steps=60, precision=p) for p in ("float32", "bfloat16")}
    losses = {}
    for precision, run in runs.items():
        for step in range(1, 61):
            run.step(step)
        losses[precision] = torch.stack(run.losses)
    assert not torch.equal(losses["float32"], losses["bfloat16"])
    torch.testing.assert_close(losses["bfloat16"], losses["float32"], rtol=0.1, atol=0)
    last = {precision: loss[-20:].mean().item() for precision, loss in losses.items()}
    assert last["bfloat16"] == pytest.approx(last["float32"], rel=0.01)
    assert {p.dtype for p in runs["bfloat16"].learner.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("changes", [{}, {"objective": "repa", "repa": aligned(layer=1)}])
def test_a_batch_in_parts_is_the_same_step(changes):
    whole, parts = begin("dar", **changes), begin("dar", micro_batch=3, **changes)
    assert whole.trial.training.batch == 8
    for step in range(1, 4):
        whole.step(step)
        parts.step(step)
    torch.testing.assert_close(parts.losses, whole.losses, rtol=1e-5, atol=0)
    torch.testing.assert_close(
        [*parts.learner.ema.parameters()], [*whole.learner.ema.parameters()]
    )
    assert parts.audit.columns == whole.audit.columns
    assert parts.trial.id == whole.trial.id


def test_no_more_than_a_micro_batch_enters_the_model():
    run, seen = begin("add", micro_batch=3), []
    run.learner.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    run.step(1)
    assert seen == [3, 3, 2]


REPA = {"objective": "repa", "repa": aligned(layer=1)}


def test_repa_trains_a_projector_that_is_no_part_of_the_model():
    plain, run = begin("dar"), begin("dar", **REPA)
    before = [p.detach().clone() for p in run.learner.objective.projector.parameters()]
    run.step(1)
    after = run.learner.objective.projector.parameters()
    assert not any(map(torch.equal, before[::2], list(after)[::2]))  # the weights
    names = dict(plain.learner.model.named_parameters()).keys()
    assert dict(run.learner.model.named_parameters()).keys() == names
    assert dict(run.learner.ema.named_parameters()).keys() == names
    assert not any(p.grad is not None for p in run.learner.objective.encoder.parameters())


def test_repa_starts_and_sees_what_the_velocity_objective_does():
    plain, run = begin("dar"), begin("dar", **REPA)
    assert all(map(torch.equal, plain.learner.model.parameters(), run.learner.model.parameters()))
    assert all(map(torch.equal, plain.batches(1), run.batches(1)))
    first = [r.learner.objective(r.learner.model, *r.batches(1)).mean() for r in (plain, run)]
    cosine = (first[0] - first[1]).item() / 0.5
    assert -1 < cosine < 1 and cosine != 0
