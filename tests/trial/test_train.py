import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from darbench.data import load
from darbench.flow.samplers import SAMPLERS, guided
from darbench.flow.sampling import make_sampler
from darbench.flow.transport import DEFAULT
from darbench.model.sit import SiT
from darbench.model.sizes import resolve
from darbench.randomness import stream
from darbench.records.schema import COLUMNS
from darbench.records.settings import Evaluation, Model, Repa, Stochastic, Training
from darbench.routing.add import Add
from darbench.trial import generate as generator
from darbench.trial import train as trainer
from darbench.trial.batches import Batches
from darbench.trial.build import build_model
from darbench.trial.check import check
from darbench.trial.generate import generate
from darbench.trial.learner import make_optimizer
from darbench.trial.schedule import checkpoint_steps
from darbench.trial.train import Run
from tests.make.models import sit
from tests.make.rows import PYTHON_TYPES
from tests.make.trials import DIGITS, TINY, tiny_trial

aligned = partial(Repa, encoder="digits-cnn")  # as a composed task has it


def begin(*args, **kwargs):
    return Run(tiny_trial(*args, **kwargs), "cpu")


# The schedule in FLOPs


def test_checkpoints_are_the_first_steps_whose_flops_reach_their_mark():
    training = Training(steps=100, checkpoints=(0.1, 0.25, 0.5, 1.0))
    for flops in (1.0, 1.37, 2.0, 7.0, 33.3):
        steps = checkpoint_steps(training, flops, add_flops=1.0)
        assert steps[-1] * flops >= 100 > (steps[-1] - 1) * flops
        for mark in training.checkpoints:
            first = next(k for k in range(1, 200) if k * flops >= mark * 100 - 1e-9)
            assert first in steps


@pytest.mark.parametrize("steps", [1, 7, 60, 100, 500, 1000])
def test_add_makes_exactly_its_steps_with_marks_that_have_no_exact_binary_form(steps):
    marks = tuple(k / 100 for k in range(1, 101))
    training = Training(steps=steps, checkpoints=marks)
    wanted = sorted({-(-k * steps // 100) for k in range(1, 101)})
    assert checkpoint_steps(training, flops=3.3e9, add_flops=3.3e9) == wanted


def test_a_costly_variant_makes_one_step_at_least_and_marks_may_meet():
    training = Training(steps=3, checkpoints=(0.1, 0.5, 1.0))
    assert checkpoint_steps(training, flops=10.0, add_flops=1.0) == [1]


@pytest.mark.parametrize("mark", [0.07, 0.14, 0.28, 0.55, 0.56])
def test_samples_are_made_from_their_mark_on_even_if_it_has_no_exact_binary_form(mark):
    """mark x 100 is a little above the whole number of the step."""
    run = begin(steps=100, checkpoints=(mark, 1.0), fd_from=mark)
    run.step(1)
    assert run.report(run.checkpoints[0]).samples is not None
    run.step(2)
    assert run.report(run.checkpoints[0] - 1).samples is None


# Batches


def batches(seed=0, batch=64, dropout=0.1):
    return Batches(load("digits"), batch, dropout, seed)


def test_a_batch_is_a_function_of_seed_and_step_whatever_was_drawn_before():
    straight, mixed = batches(), batches()
    wanted = [straight(step) for step in range(1, 60)]
    for step in (50, 3, 51, 23, 24, 1):
        assert all(map(torch.equal, mixed(step), wanted[step - 1]))
    assert not torch.equal(batches(seed=1)(1)[2], wanted[0][2])


def test_variants_of_one_pair_id_see_the_same_batches():
    runs = [begin(name, params=params) for name, params in (("add", {}), ("hyper", {}))]
    for step in (1, 2):
        assert all(map(torch.equal, *(run.batches(step) for run in runs)))
    other = begin(pair_id=1).batches(1)
    assert not any(map(torch.equal, other, runs[0].batches(1)))


def test_every_epoch_is_a_new_permutation_and_batches_run_across_its_end():
    index = load("digits").order(seed=0, positions=range(4400))
    epochs = index[: 3 * 1437].reshape(3, 1437)
    for epoch in epochs:
        assert np.array_equal(np.sort(epoch), np.arange(1437))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], np.arange(1437))


def test_a_batch_may_be_larger_than_an_epoch():
    index = load("digits").order(seed=0, positions=range(3000))
    assert np.bincount(index).min() == 2 and np.bincount(index).max() == 3


def test_images_keep_their_labels_and_noise_and_time_are_standard():
    data, made = load("digits"), batches(dropout=0.0)
    x1, label, x0, t = made(3)
    index = data.order(seed=0, positions=range(128, 192))
    pixels = data.train_images[index][..., 0] / np.float32(127.5) - 1
    assert np.allclose(x1[:, 0].numpy(), pixels, atol=1e-6)
    assert np.array_equal(label.numpy(), data.train_labels[index])
    drawn = [made(step) for step in range(1, 40)]
    noise = torch.cat([x0 for _, _, x0, _ in drawn])
    times = torch.cat([t for *_, t in drawn])
    assert (x0.shape, t.shape, x0.dtype, t.dtype) == (
        x1.shape,
        (64,),
        torch.float32,
        torch.float32,
    )
    assert noise.mean().abs() < 0.01 and noise.std() == pytest.approx(1, abs=0.01)
    assert 0 <= times.min() < 0.01 and 0.99 < times.max() < 1
    assert times.mean() == pytest.approx(0.5, abs=0.03)


def test_dropped_labels_become_the_null_class_and_change_nothing_else():
    kept, some = batches(dropout=0.0), batches(dropout=0.25)
    dropped = 0
    for step in range(1, 40):
        (x1, label, x0, t), (y1, other, y0, s) = kept(step), some(step)
        assert torch.equal(x1, y1) and torch.equal(x0, y0) and torch.equal(t, s)
        null = other == 10
        assert torch.equal(other[~null], label[~null])
        dropped += null.sum().item()
    assert dropped / (39 * 64) == pytest.approx(0.25, abs=0.03)
    assert (batches(dropout=0.0)(1)[1] < 10).all()


# Optimiser and average


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


def test_the_rate_warms_up_in_a_line_and_then_stays():
    run = begin(warmup=3, lr=1e-3)
    used = []
    for step in range(1, 7):
        used.append(run.learner.optimizer.param_groups[0]["lr"])
        run.step(step)
    assert used == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3, 1e-3])


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
    for step in (1, 2, 3):
        run.step(step)
        x1, label, x0, t = batches(batch=8)(step)
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


# Samples


@pytest.fixture(scope="module")
def trained():
    run = begin("dar")
    for step in range(1, 30):
        run.step(step)
    return run.learner.ema


def sample(model, n=20, seed=0, **changes):
    evaluation = Evaluation(**{"n_gen": n, "grid": 0, "sampler_steps": 3} | changes)
    samples = generate(model, load("digits"), evaluation, seed, "cpu")
    return samples and samples.pictures


def test_a_sample_is_its_own_noise_and_label_taken_through_the_sampler(trained):
    found = sample(trained, n=12, guidance=2.0)
    assert found.shape == (12, 8, 8, 1) and found.dtype == np.uint8
    for i in range(12):
        noise = stream(0, "sample", i).standard_normal((1, 1, 8, 8), dtype=np.float32)
        velocity = guided(trained, torch.tensor([i % 10]), null=10, scale=2.0)
        with torch.no_grad():
            x = SAMPLERS["heun"](velocity, torch.from_numpy(noise), 3)
        pixels = (x[0, 0].double().numpy() * 127.5 + 127.5).clip(0, 255)
        assert np.abs(found[i, :, :, 0] - pixels).max() < 0.51


def test_samples_are_the_same_bits_however_many_are_made(trained):
    many = sample(trained, n=500)
    assert len(many) == 500  # more than one internal batch
    for n in (2, 7, 64):
        assert np.array_equal(sample(trained, n=n), many[:n])


@pytest.mark.parametrize("batch", [7, 64])
def test_samples_are_the_same_to_one_grey_level_in_any_internal_batch(trained, monkeypatch, batch):
    wanted = sample(trained, n=40).astype(int)
    monkeypatch.setattr(generator, "SAMPLE_BATCH", batch)
    assert np.abs(sample(trained, n=40) - wanted).max() <= 1


@pytest.mark.parametrize(("tokens", "at_once"), [(30_720, 480), (16 * 7 + 1, 7), (1, 1)])
def test_many_tokens_leave_room_for_fewer_samples_at_a_time(trained, monkeypatch, tokens, at_once):
    monkeypatch.setattr(generator, "SAMPLE_TOKENS", tokens)
    seen = set()
    hook = trained.register_forward_pre_hook(lambda _, inputs: seen.add(len(inputs[0])))
    assert len(sample(trained, n=9)) == 9 and seen == {at_once}
    hook.remove()


def test_samples_depend_on_the_seed(trained):
    assert not np.array_equal(sample(trained), sample(trained, seed=1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_samples_that_are_not_finite_are_none(value):
    broken = sit(depth=1, channels=1, classes=10)
    with torch.no_grad():
        broken.final_layer.linear.bias.fill_(value)
    assert sample(broken) is None


# Whole trials


@pytest.fixture(scope="module")
def reports():
    nano = resolve(Model(size="nano"))
    trial = tiny_trial("dar", model=nano, params={"query": "static_t"}, fd_from=0.4)
    return list(trainer.train(trial))


def test_a_trial_reports_at_its_checkpoints_and_ends_with_the_final_one(reports):
    run = Run(tiny_trial("dar", model=resolve(Model(size="nano"))), "cpu")
    assert [r.step for r in reports] == run.checkpoints
    assert [r.final for r in reports] == [False, True]
    assert run.flops > run.add_flops


def test_a_report_holds_the_columns_of_a_row_with_finite_numbers(reports):
    wanted = {
        "status",
        "train_loss",
        "val_loss",
        "val_loss_bins",
        "samples_seen",
        "train_flops",
        "budget_flops",
        "flops_routing_share",
        "params_total",
        "params_routing",
        "train_seconds",
        "eval_seconds",
        "peak_mem_bytes",
        "ref_hash",
        "data_fingerprint",
        "step_ms_p50",
        "step_ms_p95",
        "fd",
        "kid",
        "precision",
        "recall",
        "n_gen",
    }
    types = {column.name: PYTHON_TYPES[column.kind] for column in COLUMNS.values()}
    for report in reports:
        assert wanted <= report.measured.keys() <= types.keys()
        for name, value in report.measured.items():
            if name.startswith("fd_inf"):  # which needs more than 64 samples
                assert value is None
                continue
            assert isinstance(value, types[name]), name
            if isinstance(value, float):
                assert math.isfinite(value), name
        assert len(report.measured["val_loss_bins"]) == 4


def test_a_report_counts_what_was_done(reports):
    run = Run(
        tiny_trial("dar", model=resolve(Model(size="nano")), params={"query": "static_t"}), "cpu"
    )
    parameters = 25 * 2 * 32 + 32**2
    for report in reports:
        m = report.measured
        assert m["samples_seen"] == 8 * report.step
        assert m["train_flops"] == report.step * run.flops
        assert m["budget_flops"] == 3 * run.add_flops
        assert m["flops_routing_share"] == pytest.approx(1 - run.add_flops / run.flops)
        assert m["params_routing"] == parameters
        assert m["params_total"] == sum(p.numel() for p in run.learner.model.parameters())
        assert m["data_fingerprint"] == load("digits").fingerprint
        assert m["n_gen"] == 64
    assert reports[-1].measured["train_flops"] >= reports[-1].measured["budget_flops"]
    first, last = (r.measured["train_seconds"] for r in reports)
    assert 0 < first < last


def test_the_picture_is_the_first_samples():
    run = Run(tiny_trial(fd_from=0.0), "cpu")
    run.step(1)
    picture = run.report(1).samples
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, run.evaluator.samples(run.learner.ema).pictures[:10])
    assert picture.base is None  # the other samples are let go


def test_the_same_trial_measures_the_same_numbers_again():
    timed = {"train_seconds", "eval_seconds", "step_ms_p50", "step_ms_p95", "peak_mem_bytes"}
    runs = [list(trainer.train(tiny_trial("hyper", pair_id=3))) for _ in range(2)]
    for one, two in zip(*runs, strict=True):
        assert {k: v for k, v in one.measured.items() if k not in timed} == {
            k: v for k, v in two.measured.items() if k not in timed
        }


def test_the_training_loss_is_the_mean_since_the_last_checkpoint():
    run = begin(steps=4)
    losses = []
    for step in range(1, 5):
        run.step(step)
        losses.append(run.losses[-1].item())
        if step in (2, 4):
            found = run.report(step).measured["train_loss"]
            assert found == pytest.approx(np.mean(losses), rel=1e-6)
            losses = []


def test_a_trial_learns():
    first, last = trainer.train(tiny_trial(steps=60, batch=32, checkpoints=(0.02, 1.0)))
    assert last.measured["val_loss"] < 0.7 * first.measured["val_loss"]


def test_a_trial_can_be_left_at_any_report():
    trial = trainer.train(tiny_trial())
    assert not next(trial).final
    trial.close()


def test_a_loss_that_is_not_finite_ends_the_trial_as_diverged():
    (*_, last) = found = list(
        trainer.train(tiny_trial(lr=1e30, steps=50, checkpoints=(0.1, 0.5, 1.0)))
    )
    assert len(found) == 1 and last.step == 5 and last.final
    assert last.measured["status"] == "diverged"
    assert "not finite by step 5" in last.measured["error"]
    assert "val_loss" not in last.measured and last.samples is None
    assert last.measured["samples_seen"] == 40


def test_samples_that_are_not_finite_end_the_trial_as_diverged():
    *_, last = trainer.train(tiny_trial(guidance=1e300))
    assert last.final and last.measured["status"] == "diverged"
    assert "samples are not finite at step 3" in last.measured["error"]


@pytest.mark.parametrize(
    "pictures",
    [
        lambda n: np.full((n, 8, 8, 1), 7),
        lambda n: np.tile(np.arange(64).reshape(8, 8, 1), (n, 1, 1, 1)),
        lambda n: np.broadcast_to(np.arange(n).reshape(n, 1, 1, 1) % 256, (n, 8, 8, 1)),
    ],
    ids=["black", "one picture", "a colour each"],
)
def test_samples_that_show_nothing_end_the_trial_as_diverged(monkeypatch, pictures):
    monkeypatch.setattr(
        type(load("digits")), "decode", lambda self, x: pictures(len(x)).astype(np.uint8)
    )
    *_, last = trainer.train(tiny_trial())
    assert last.final and last.measured["status"] == "diverged"
    assert "samples show nothing at step 3" in last.measured["error"]
    assert "fd" not in last.measured


def test_samples_that_show_something_are_not_taken_for_collapsed():
    pictures = np.zeros((3, 8, 8, 1), np.uint8)
    pictures[2, 0, 0] = 1
    assert not generator.Samples(pictures=pictures, labels=np.zeros(3), audit="").collapsed


# Refusals before anything starts


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


# Other objectives, paths and samplers

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


def test_repa_costs_add_and_a_variant_the_same():
    plain, run = begin("dar"), begin("dar", **REPA)
    beyond = run.learner.objective.step_flops(8, (1, 8, 8))
    assert beyond > 0
    assert run.flops == plain.flops + beyond
    assert run.add_flops == plain.add_flops + beyond


def test_repa_starts_and_sees_what_the_velocity_objective_does():
    plain, run = begin("dar"), begin("dar", **REPA)
    assert all(map(torch.equal, plain.learner.model.parameters(), run.learner.model.parameters()))
    assert all(map(torch.equal, plain.batches(1), run.batches(1)))
    first = [r.learner.objective(r.learner.model, *r.batches(1)).mean() for r in (plain, run)]
    cosine = (first[0] - first[1]).item() / 0.5
    assert -1 < cosine < 1 and cosine != 0


@pytest.mark.parametrize(
    "changes",
    [
        REPA,
        {"objective": "noise", "sampler": "heun_sde", "weighting": "velocity"},
        {"objective": "score", "path": "VP", "sampler": "euler_maruyama"},
        {"path": "GVP", "sampler": "euler_maruyama", "sde": Stochastic(form="SBDM")},
        {"path": "VP", "sampler": "heun_sde", "sde": Stochastic(last_step="none")},
        {"objective": "repa", "repa": aligned(layer=2, norm=True), "precision": "bfloat16"},
    ],
)
def test_every_objective_path_and_sampler_makes_a_trial(changes):
    trial = tiny_trial("dar", steps=20, sampler_steps=5, checkpoints=(0.05, 1.0), **changes)
    first, last = trainer.train(trial)
    assert last.measured["status"] == "ok" and math.isfinite(last.measured["fd"])
    assert last.measured["val_loss"] < first.measured["val_loss"]


def test_a_stochastic_sample_is_its_own_noise_at_every_step(trained):
    settings = {"sampler": "euler_maruyama", "sampler_steps": 4}
    found = sample(trained, n=12, **settings)
    assert np.array_equal(sample(trained, n=250, **settings)[:12], found)
    draw = make_sampler(Evaluation(**settings), DEFAULT)
    for i in (0, 7):
        names = ["sample", *(f"sample/{step}" for step in range(3))]
        x, *noise = (
            torch.from_numpy(stream(0, n, i).standard_normal((1, 1, 8, 8), dtype=np.float32))
            for n in names
        )
        with torch.no_grad():
            velocity = guided(trained, torch.tensor([i % 10]), null=10, scale=1.0)
            x = draw(velocity, x, noise.__getitem__)
        pixels = (x[0, 0].double().numpy() * 127.5 + 127.5).clip(0, 255)
        assert np.abs(found[i, :, :, 0] - pixels).max() < 0.51


# Data of other kinds


def test_colour_images_without_end_train_and_are_scored():
    shapes = replace(DIGITS, name="shapes-nano", data="shapes", extractor="shapes-cnn")
    trial = replace(tiny_trial(model=replace(TINY, patch=4), fd_from=0.5), task=shapes)
    check(trial)
    *_, last = trainer.train(trial)
    assert last.final and last.measured["status"] == "ok"
    assert last.samples.shape == (10, 16, 16, 3) and last.measured["n_ref"] == 2048
