"""Write official.json: what the official SiT code answers to inputs that have closed forms.

    python tests/flow/record_official.py PATH_OF_SIT     # needs torchdiffeq and tqdm

The reference is github.com/willisma/SiT at 947f95bd, in float64. Two of its lines are stepped
around: the noise of a stochastic step comes from `noise`, not from the global generator, and the
norm of a constant diffusion is a tensor, without which taking its root fails. What it answers with
a number that is not finite is left out.
"""

import hashlib
import itertools
import json
import math
import sys
from pathlib import Path

import torch

RECORD = Path(__file__).parent / "official.json"
TIMES = (0.07, 0.31, 0.58, 0.94)
STEPS = 6  # of samplers, the last step of a stochastic one included
PATHS = ("Linear", "GVP", "VP")
PREDICTIONS = ("velocity", "noise", "score")
WEIGHTINGS = ("none", "velocity", "likelihood")
FORMS = ("constant", "SBDM", "sigma", "linear", "decreasing", "increasing-decreasing")
LAST_STEPS = ("Mean", "Tweedie", "Euler", "none")
SDES = [(form, "Mean") for form in FORMS] + [("sigma", step) for step in LAST_STEPS[1:]]
SIZE = 0.04  # of the last step


def wave(phase: float) -> torch.Tensor:
    """An x (4, 2) that is the same on every machine."""
    index = torch.arange(8, dtype=torch.float64).view(4, 2)
    return torch.sin(1.7 * index + phase)


def noise(step: int) -> torch.Tensor:
    return 1.3 * wave(10.0 + step)


def model(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A network: a smooth bounded function of x and t."""
    return torch.cos(x + 0.4 * t.view(-1, 1)) - 0.3 * x


def digits(value: torch.Tensor) -> list[float]:
    """Every number with 13 significant digits."""
    return [float(f"{number:.13g}") for number in value.flatten().tolist()]


def main(reference: Path) -> None:
    sys.path.insert(0, str(reference))
    torch.set_default_dtype(torch.float64)
    import transport

    source = b"".join(path.read_bytes() for path in sorted(reference.glob("transport/*.py")))
    record: dict = {"sha256 of the transport": hashlib.sha256(source).hexdigest()}
    for name, prediction in itertools.product(PATHS, PREDICTIONS):
        record[f"{name} {prediction}"] = record_flow(transport, name, prediction)
    for name in PATHS:
        record[name] = record_path(transport, name)
    RECORD.write_text(json.dumps(record, separators=(",", ":")) + "\n")


def record_path(transport, name: str) -> dict:
    """x_t, its velocity, what a velocity says of noise and score, and the diffusions."""
    path = transport.create_transport(path_type=name).path_sampler
    x0, x1, t = wave(0.0), wave(5.0), torch.tensor(TIMES)
    _, x, v = path.plan(t, x0, x1)
    forms = {form: path.compute_diffusion(x, t, form=official(form)) for form in FORMS}
    return {
        "x": digits(x),
        "v": digits(v),
        "score": digits(path.get_score_from_velocity(wave(2.0), x, t)),
        "noise": digits(path.get_noise_from_velocity(wave(2.0), x, t)),
        "velocity": digits(path.get_velocity_from_score(wave(2.0), x, t)),
        **{form: digits(torch.as_tensor(w).expand(4, 1)) for form, w in forms.items()},
    }


def official(form: str) -> str:
    return "inccreasing-decreasing" if form == "increasing-decreasing" else form


def record_flow(transport, name: str, prediction: str) -> dict:
    flow = transport.create_transport(path_type=name, prediction=prediction)
    sampler = transport.Sampler(flow)
    answers = {
        "train_span": flow.check_interval(flow.train_eps, flow.sample_eps),
        "sample_span": flow.check_interval(flow.train_eps, flow.sample_eps, eval=True),
        "velocity": digits(flow.get_drift()(wave(3.0), torch.tensor(TIMES), model)),
        "score": digits(flow.get_score()(wave(3.0), torch.tensor(TIMES), model)),
    }
    for weighting in WEIGHTINGS:
        answers[f"loss {weighting}"] = record_loss(transport, name, prediction, weighting)
    # An adaptive solver cannot get past the ends of a noise or a score that is not a true one.
    methods = ["euler", "heun2"] + ["dopri5"] * (prediction == "velocity")
    for method in methods:
        points = 2 if method == "dopri5" else STEPS + 1
        ode = sampler.sample_ode(sampling_method=method, num_steps=points)
        answers[method] = digits(ode(wave(1.0), model)[-1])
    for (form, last_step), method in itertools.product(SDES, ("Euler", "Heun")):
        sample = record_sde(transport, flow, sampler, form, last_step, method)
        if all(map(math.isfinite, sample)):
            answers[f"{method} {form} {last_step}"] = sample
    return answers


def record_loss(transport, name: str, prediction: str, weighting: str) -> list[float]:
    flow = transport.create_transport(
        path_type=name,
        prediction=prediction,
        loss_weight=None if weighting == "none" else weighting,
    )
    flow.sample = lambda x1: (torch.tensor(TIMES), wave(0.0), x1)
    return digits(flow.training_losses(model, wave(5.0))["loss"])


def record_sde(transport, flow, sampler, form: str, last_step: str, method: str) -> list[float]:
    draws = itertools.count()
    transport.integrators.th = Patched(lambda size: noise(next(draws)))
    sample = sampler.sample_sde(
        sampling_method=method,
        diffusion_form=official(form),
        last_step_size=SIZE,
        diffusion_norm=torch.tensor(1.0),
        last_step=None if last_step == "none" else last_step,
        num_steps=STEPS + (last_step == "none"),
    )(wave(1.0), model)[-1]
    transport.integrators.th = torch
    return digits(sample)


class Patched:
    """The torch module with another randn."""

    def __init__(self, randn):
        self.randn = randn

    def __getattr__(self, name: str):
        return getattr(torch, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
