"""A check of what a task needs on this machine, with fixes: `darbench doctor`."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import torch

from darbench.data import Dataset, Kind, kind, load, published
from darbench.data.latents import Latents
from darbench.errors import BadInput, Missing
from darbench.listener import CountListener, silent
from darbench.metrics.extractors import inception, lite0
from darbench.metrics.extractors.extractor import extractor
from darbench.records.settings import Repa, Task, Training
from darbench.records.trial import Trial
from darbench.registry import signatures
from darbench.search import machine
from darbench.search.compose import compose_trial
from darbench.search.load import build_trial
from darbench.search.resolve import find_data, find_encoder
from darbench.trial.cost import add_step_flops, evaluation_bytes, sampling_flops, step_bytes
from darbench.trial.encoder_names import OTHERS, TIMM
from darbench.trial.encoders import load_encoder

OK, OTHER, MISSING, OPTIONAL = "ok", "other", "missing", "optional"
CORE_FLOPS = 1e11  # FLOP/s of a fast CPU core; most give less
DISK_BYTES = 1e9  # room for a board with its ledger and samples, and for a reference's features
PACKAGES = {
    "diffusers": ("imagenet", "latents and to prepare them"),
    "timm": ("repa", "training.repa.encoder=timm:NAME"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a task needs, and its state.

    The state is ok, missing, optional (missing, but only some tasks need it), or other (there, but
    not what is published).
    """

    what: str
    state: str
    says: str
    fix: str = ""


def examine(
    task: str | None, overrides: Iterable[str], out: Path, listener: CountListener = silent
) -> list[Finding]:
    """Examine what this task needs, or without one, what every task does."""
    if task is None:
        return examine_machine(out, listener)
    return examine_task(task, overrides, out, listener)


def examine_task(
    name: str, overrides: Iterable[str], out: Path, listener: CountListener = silent
) -> list[Finding]:
    """Examine what a trial of `add` needs; BadInput if the overrides make no trial.

    The listener counts what is read of large data.
    """
    values = find_encoder(compose_trial("add", name, overrides))
    trial = build_trial(values, signatures())
    needed = _packages_of(trial)
    data_finding, data = _data(trial.task, listener)
    encoder = _encoder(trial.training)
    if any(finding.state == MISSING for finding in encoder):  # its cost is unknown
        trial = replace(trial, training=replace(trial.training, objective="velocity", repa=Repa()))
    try:
        training, sampling = add_step_flops(trial, data), sampling_flops(trial, data) or 0.0
        step, evaluation = step_bytes(trial, data), evaluation_bytes(trial, data)
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from None
    return [
        data_finding,
        *_autoencoder(data),
        _extractor(trial.task.extractor),
        *(replace(_extractor(name), what=name) for name in trial.evaluation.fdr_extractors),
        *encoder,
        _device(trial.training, training, sampling),
        *_memory(step, evaluation),
        _disk(out),
        *_packages(needed),
    ]


def examine_machine(out: Path, listener: CountListener = silent) -> list[Finding]:
    """Examine what every task needs, and what only some tasks need."""
    others = [_extractor(inception.NAME), replace(_lite0(), what=lite0.NAME)]
    for each in published():
        task = Task(data=each.name, data_path=os.environ.get(each.variable, ""))
        finding, data = _files(each.name, task, listener)
        others += [finding, *_autoencoder(data)]
    others = [replace(f, state=OPTIONAL) if f.state == MISSING else f for f in others]
    device = _device(Training(), 0, 0)
    return [device, *_memory(0, 0), _disk(out), *_packages(set()), *others]


def _data(task: Task, listener: CountListener) -> tuple[Finding, Dataset | Kind]:
    """Examine a task's data, and return them too, or what is known without their files."""
    data_kind = kind(task.data)
    if not data_kind.files:
        find_data(asdict(task))
        return Finding(what="data", state=OK, says=f"{task.data} ships with darbench"), data_kind
    return _files("data", task, listener)


def _files(what: str, task: Task, listener: CountListener) -> tuple[Finding, Dataset | Kind]:
    data = data_kind = kind(task.data)
    try:
        located = find_data(asdict(task))
        data = load(data_kind.name, located["data_path"])
        data.verify(listener)
    except BadInput as error:
        where = (
            f"export {data_kind.variable}=FOLDER"
            if data_kind.variable
            else "task.data_path=FOLDER"
        )
        fix = f"{data_kind.source}; then {where}"
        return Finding(what=what, state=MISSING, says=str(error), fix=fix), data
    says = (
        f"{data.n_train:,} items of {data.name} to train on and {data.n_val:,} held out, "
        f"{data.classes:,} classes, fingerprint {data.fingerprint}, in {located['data_path']}"
    )
    says = "; ".join([says, *data.remarks])
    if departure := data_kind.departure(data):
        fix = f"{data_kind.source}; with these, only results on the same files compare"
        return Finding(what=what, state=OTHER, says=f"{says}; {departure}", fix=fix), data
    return Finding(what=what, state=OK, says=says), data


def _autoencoder(data: Dataset | Kind) -> list[Finding]:
    """Examine the autoencoder that decodes samples, if the data are latents."""
    if not isinstance(data, Latents) or not find_spec("diffusers"):
        return []
    try:
        parameters = sum(p.numel() for p in data.vae.parameters())
    except BadInput as error:
        fix = "copy config.json and *.safetensors of the one that encoded the latents there"
        return [Finding(what="autoencoder", state=MISSING, says=str(error), fix=fix)]
    says = f"the one that encoded the latents, {parameters:,} parameters, in {data.path / 'vae'}"
    return [Finding(what="autoencoder", state=OK, says=says)]


def _extractor(name: str) -> Finding:
    """Examine an extractor; BadInput if none has that name."""
    if name == lite0.NAME:
        return _lite0()
    if name != inception.NAME:
        extractor(name)
        return Finding(what="extractor", state=OK, says=f"{name} ships with darbench")
    path = inception.weights_path()
    try:
        inception.read_weights(path)
    except BadInput as error:
        fix = f"curl -fL --create-dirs -o '{path}' {inception.URL_INCEPTION_V3}"
        says, _, _ = str(error).partition("; ")  # the rest says what would fix it
        return Finding(what="extractor", state=MISSING, says=says, fix=fix)
    return Finding(what="extractor", state=OK, says=f"{name}, the published weights, in {path}")


def _lite0() -> Finding:
    try:
        lite0.read_weights()
    except BadInput as error:
        says = str(error).rpartition(": ")[0] or str(error)
        return Finding(what="extractor", state=MISSING, says=says, fix=lite0.INSTALL)
    says = f"{lite0.NAME}, the published weights, in the package {lite0.PACKAGE}"
    return Finding(what="extractor", state=OK, says=says)


def _encoder(training: Training) -> list[Finding]:
    """Examine the encoder, if the recipe aligns to one; BadInput if it does not fit."""
    if training.objective != "repa":
        return []
    chosen = training.repa
    try:
        load_encoder(chosen.encoder, chosen.weights, chosen.size)
    except Missing as error:
        fix = f"training.repa.encoder={OTHERS}, or that of the task: leave it out"
        return [Finding(what="encoder", state=MISSING, says=str(error), fix=fix)]
    return [Finding(what="encoder", state=OK, says=chosen.encoder)]


def _device(training: Training, step: float, sampling: float) -> Finding:
    """Examine the device, given the FLOPs of a step and of all samples.

    A GPU is needed if a core would take longer than the task's own limit.
    """
    if torch.cuda.is_available():
        return Finding(what="device", state=OK, says=f"cuda, {torch.cuda.get_device_name()}")
    cores = len(machine.units("cpu"))
    budget, limit = training.steps * step + sampling, CORE_FLOPS * training.timeout_s
    if budget <= limit:
        if training.precision == "float32" or _multiplies_bfloat16():
            return Finding(what="device", state=OK, says=f"cpu, {cores} cores; no CUDA device")
        says = f"cpu, {cores} cores that multiply no bfloat16: a step takes many times as long"
        return Finding(what="device", state=MISSING, says=says, fix="training.precision=float32")
    fix, fitting = "run it where torch.cuda.is_available()", int((limit - sampling) / step)
    return Finding(
        what="device",
        state=MISSING,
        says=f"no CUDA device, and {budget:.2g} FLOPs, {sampling:.2g} of them of samples, are "
        f"{budget / CORE_FLOPS / 3600:,.0f} hours of a CPU core at {CORE_FLOPS:.0e} FLOP/s; "
        f"training.timeout_s allows {training.timeout_s / 3600:,.3g}",
        fix=f"{fix}, or shorten it: training.steps={fitting}" if fitting > 0 else fix,
    )


def _multiplies_bfloat16() -> bool:
    """Whether bfloat16 is fast: without AVX-512, torch multiplies it number by number on x86."""
    can = torch.cpu.get_capabilities()
    return can.get("architecture") != "x86_64" or can.get("avx512_f", False)


def _memory(step: float, evaluation: float) -> list[Finding]:
    """Examine the memory of the device that would train, and of the host if that is another."""
    of_step = "a device with more memory, or a smaller training.micro_batch"
    of_evaluation = "a machine with more memory, or a smaller evaluation.n_gen"
    host, free = machine.RAY_BYTES + machine.WORKER_BYTES, machine.free_bytes()
    if torch.cuda.is_available():
        return [
            _room("memory", step, torch.cuda.mem_get_info()[0], of_step),
            _room("host memory", host + evaluation, free, of_evaluation),
        ]
    fix = of_step if step > evaluation else of_evaluation
    return [_room("memory", host + max(step, evaluation), free, fix)]


def _room(what: str, need: float, free: float | None, fix: str) -> Finding:
    if free is None:
        return Finding(what=what, state=OK, says=f"{need / 1e9:.1f} GB needed, free unknown")
    says = f"a trial of add needs {need / 1e9:.1f} GB at least, {free / 1e9:.1f} GB free"
    if free >= need:
        return Finding(what=what, state=OK, says=says)
    return Finding(what=what, state=MISSING, says=says, fix=fix)


def _disk(out: Path) -> Finding:
    folder = next(p for p in (out.resolve(), *out.resolve().parents) if p.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        says = f"nothing can be written to {out}: {folder} is no folder, or is read-only"
        return Finding(what="disk", state=MISSING, says=says, fix="give another --out")
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.1f} GB free in {folder}"
    if free >= DISK_BYTES:
        return Finding(what="disk", state=OK, says=says)
    fix = f"free {DISK_BYTES / 1e9:.0f} GB there, or give another --out"
    return Finding(what="disk", state=MISSING, says=says, fix=fix)


def _packages_of(trial: Trial) -> set[str]:
    alignment = trial.training.objective == "repa" and trial.training.repa.encoder
    wanted = {
        "diffusers": trial.task.data == "latents",
        "timm": alignment and alignment.startswith(TIMM),
    }
    return {name for name, needed in wanted.items() if needed}


def _packages(needed: set[str]) -> list[Finding]:
    return [_package(name, name in needed) for name in PACKAGES]


def _package(name: str, needed: bool) -> Finding:
    extra, use = PACKAGES[name]
    if find_spec(name):
        return Finding(what=name, state=OK, says=f"installed, for {use}")
    state = MISSING if needed else OPTIONAL
    fix = f"pip install 'darbench[{extra}]'"
    return Finding(what=name, state=state, says=f"not installed; for {use}", fix=fix)
