"""The doctor names each thing that is missing, and nothing once it is there."""

import hashlib
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from darbench.commands import doctor
from darbench.data import load, published
from darbench.errors import BadInput
from darbench.metrics.extractors import inception
from darbench.registry import signatures
from darbench.search import machine
from darbench.search.load import load_trial
from darbench.trial.train import train
from tests.make.data import write_cifar10, write_fashion_mnist, write_images, write_latents
from tests.make.spaces import OVERRIDES

SMALL = ["model.depth=2", "training.steps=2", "training.batch=2"]


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A machine without data, weights or GPU, and with memory and AVX-512."""
    for each in published():
        monkeypatch.delenv(each.variable, raising=False)
    monkeypatch.setenv("DARBENCH_INCEPTION", str(tmp_path / "inception.pth"))
    monkeypatch.setattr(doctor.torch.cuda, "is_available", lambda: False)
    multiplies(monkeypatch, bfloat16=True)
    monkeypatch.setattr(machine, "free_bytes", lambda: 64e9)
    monkeypatch.chdir(tmp_path)
    load.cache_clear()


def multiplies(monkeypatch, bfloat16):
    can = {"architecture": "x86_64", "avx512_f": bfloat16}
    monkeypatch.setattr(doctor.torch.cpu, "get_capabilities", lambda: can)


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    return write_latents(tmp_path_factory.mktemp("latents"))


@pytest.fixture
def made(latents, tmp_path):
    """A copy of the latents, which a test may break."""
    return shutil.copytree(latents, tmp_path / "made")


@pytest.fixture
def weights(monkeypatch, tmp_path):
    """A file that is taken for the published one."""
    (tmp_path / "inception.pth").write_bytes(b"weights")
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(b"weights").hexdigest())


def examine(task, *overrides):
    found = doctor.examine_task(task, overrides, Path("leaderboards"))
    return {finding.what: finding for finding in found}


def missing(found):
    return [what for what, finding in found.items() if finding.state == "missing"]


@pytest.mark.parametrize("task", ["digits-micro", "burden-shapes-2", "photos-nano"])
def test_what_ships_runs_anywhere(task):
    assert missing(examine(task)) == []


def test_each_missing_thing_has_a_step_that_mends_it():
    found = examine("cifar10-small", "training.batch=1024")
    assert missing(found) == ["data", "extractor", "device"]
    assert all(found[what].fix for what in missing(found))
    assert "DARBENCH_CIFAR10=FOLDER" in found["data"].fix
    assert "curl" in found["extractor"].fix and "inception.pth" in found["extractor"].fix
    assert "hours of a CPU core" in found["device"].says


def test_the_length_that_the_doctor_proposes_is_enough():
    def device(*overrides):
        shallow = ("model.depth=2", "evaluation.n_gen=2048")
        return examine("cifar10-small", *shallow, *overrides)["device"]

    _, _, proposed = device("training.batch=1024").fix.partition("or shorten it: ")
    steps = int(proposed.removeprefix("training.steps="))
    assert steps > 1 and device("training.batch=1024", proposed).state == "ok"
    more = f"training.steps={steps + 1}"
    assert device("training.batch=1024", more).state == "missing"
    samples = examine("imagenet256-xl2")["device"]  # alone take longer than the task allows
    assert samples.fix == "run it where torch.cuda.is_available()"


def test_the_batch_of_imagenet_needs_more_memory_than_a_gpu_has(monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda: 80e9)
    assert missing(examine("imagenet256-b2")) == ["data", "extractor", "device"]
    found = examine("imagenet256-b2", "training.micro_batch=null")
    assert missing(found) == ["data", "extractor", "device", "memory"]
    assert "smaller training.micro_batch" in found["memory"].fix
    assert "darbench prepare imagenet" in found["data"].fix


def test_cifar10_in_its_published_form_is_all_it_takes(tmp_path, weights, monkeypatch):
    write_cifar10(tmp_path / "cifar")
    found = examine("cifar10-small", "task.data_path=cifar", *SMALL)
    assert missing(found) == []
    says = found["data"].says
    assert f"fingerprint {load('cifar10', str(tmp_path / 'cifar')).fingerprint}" in says
    assert found["data"].state == "other" and says.endswith(
        "not the published data: 40 items to train on, not 50,000; 8 held out, not 10,000"
    )
    assert "162 MB" in found["data"].fix
    monkeypatch.setenv("DARBENCH_CIFAR10", str(tmp_path / "cifar"))
    assert examine("cifar10-small", *SMALL)["data"] == found["data"]


def test_fashion_mnist_is_its_four_files_and_trains_on_them(tmp_path, monkeypatch):
    write_fashion_mnist(tmp_path / "fashion", train=100)
    monkeypatch.setenv("DARBENCH_FASHION_MNIST", str(tmp_path / "fashion"))
    found = examine("fashion-nano")
    assert missing(found) == [] and found["data"].state == "other"
    assert "100 items to train on, not 60,000; 8 held out, not 1,000" in found["data"].says
    *_, last = train(load_trial("add", "fashion-nano", OVERRIDES, 0, signatures()))
    assert (last.measured["status"], last.measured["n_ref"]) == ("ok", 100)


def test_latents_that_were_prepared_are_all_it_takes(made, weights):
    shard, vae = made / "shard-00000.safetensors", made / "vae"

    def found():
        load.cache_clear()
        return examine(
            "imagenet256-xl2", f"task.data_path={made}", "model.width=32", "model.heads=2", *SMALL
        )

    whole = found()
    assert missing(whole) == [] and whole["data"].state == "other"
    assert whole["data"].says.endswith(
        "2 classes, not 1,000; 4 x 8 x 8 values an item, not 4 x 32 x 32"
    )
    assert "the one that encoded the latents" in whole["autoencoder"].says
    vae.rename(made / "moved")
    assert missing(found()) == ["autoencoder"]
    assert f"{vae}: no autoencoder" in found()["autoencoder"].says
    (made / "moved").rename(vae)
    (vae / "config.json").write_text("{}")
    assert missing(found()) == ["autoencoder"]
    assert f"{vae}: not the autoencoder that encoded" in found()["autoencoder"].says
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert missing(found()) == ["data", "autoencoder"]
    assert f"not as they were written: {shard.name}" in found()["data"].says
    shard.unlink()
    assert missing(found()) == ["data"] and "missing or truncated" in found()["data"].says


def test_latents_that_are_not_finite_are_found(made, weights):
    path = made / "shard-00001.safetensors"
    tensors = load_file(path)
    tensors["std"][1, 0, 0, 0] = float("nan")
    save_file(tensors, path)
    manifest = json.loads((made / "manifest.json").read_text())
    content = path.read_bytes()
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["shards"][path.name] |= facts
    (made / "manifest.json").write_text(json.dumps(manifest))
    found = examine("imagenet256-b2", f"task.data_path={made}", *SMALL)
    assert "data" in missing(found)
    assert found["data"].says.startswith(f"{path}: latent 1 is not finite")


IMAGES = ["task.data=image_folder_32", "task.name=mine", *SMALL]


def test_images_are_decoded_and_how_they_were_read_is_said(tmp_path):
    write_images(tmp_path / "images")
    Image.new("LA", (40, 40)).save(tmp_path / "images" / "a" / "1.png")
    (tmp_path / "images" / "more.png").write_bytes(b"")

    def data():
        load.cache_clear()
        path = f"task.data_path={tmp_path / 'images'}"
        return examine("digits-nano", path, *IMAGES)["data"]

    assert data().state == "ok" and data().says.endswith(
        f"in {tmp_path / 'images'}; 1 transparent, shown on white; "
        "passed over 1 beside the class folders such as more.png"
    )
    broken = tmp_path / "images" / "b" / "3.png"
    broken.write_bytes(broken.read_bytes()[:1500])
    assert data().state == "missing"
    assert data().says.startswith(f"{broken}: cannot be read as an image (image file is trunc")


def test_files_of_another_kind_are_named(tmp_path, weights):
    (tmp_path / "cifar").mkdir()
    found = examine("cifar10-small", "task.data_path=cifar", *SMALL)
    assert missing(found) == ["data"] and "no training files in" in found["data"].says
    write_cifar10(tmp_path / "whole")
    found = examine("cifar10-small", "task.data_path=whole", "task.fingerprint=abc", *SMALL)
    assert "task cifar10-small is of abc" in found["data"].says
    (tmp_path / "inception.pth").write_bytes(b"others")
    found = examine("cifar10-small", "task.data_path=whole", *SMALL)
    assert missing(found) == ["extractor"] and "has sha256" in found["extractor"].says


REPA = ["training.objective=repa", "training.repa.encoder=timm:vit_tiny_patch16_224"]


def test_alignment_needs_its_package_and_its_weights(monkeypatch):
    found = examine("digits-nano", *REPA)
    assert missing(found) == ["encoder"] and ".safetensors" in found["encoder"].says
    assert missing(examine("digits-nano", REPA[0])) == []
    real = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: name != "timm" and real(name))
    found = examine("digits-nano", *REPA)
    assert missing(found) == ["encoder", "timm"] and "[repa]" in found["timm"].fix
    assert examine("digits-nano")["timm"].state == "optional"


def test_features_inside_a_package_are_needed_by_whoever_names_them(monkeypatch):
    assert missing(examine("digits-nano", "task.extractor=efficientnet-lite0")) == []
    monkeypatch.setattr(doctor.lite0, "PACKAGE", "no_such_package")
    for override in ("task.extractor", "evaluation.fdr_extractors"):
        given = "[efficientnet-lite0]" if "fdr" in override else "efficientnet-lite0"
        (found,) = (f for f in examine("digits-nano", f"{override}={given}").values() if f.fix)
        assert found.state == "missing" and "no_such_package" in found.says
        assert found.fix == "pip install 'darbench[lite0]'"
    machine_alone = {f.what: f for f in doctor.examine_machine(Path("leaderboards"))}
    assert machine_alone["efficientnet-lite0"].state == "optional"


def test_diffusers_is_needed_by_latents_alone(monkeypatch):
    real = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: name != "diffusers" and real(name))
    assert examine("imagenet256-b2", *SMALL)["diffusers"].state == "missing"
    assert examine("digits-nano")["diffusers"].state == "optional"


def test_a_full_disk_is_missing_space(monkeypatch):
    usage = namedtuple("usage", "total used free")(1, 1, 5e8)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage)
    found = examine("digits-nano")
    assert missing(found) == ["disk"] and "--out" in found["disk"].fix


def test_little_memory_is_missing(monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda: 1e9)
    assert missing(examine("digits-nano")) == ["memory"]
    monkeypatch.setattr(machine, "free_bytes", lambda: None)
    assert missing(examine("digits-nano")) == []


def test_a_gpu_is_what_a_long_task_wants(monkeypatch, tmp_path, weights):
    write_cifar10(tmp_path / "cifar")
    monkeypatch.setattr(doctor.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(doctor.torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(doctor.torch.cuda, "mem_get_info", lambda: (80e9, 80e9))
    assert missing(examine("cifar10-small", "task.data_path=cifar")) == []
    monkeypatch.setattr(doctor.torch.cuda, "mem_get_info", lambda: (4e9, 80e9))
    assert missing(examine("cifar10-small", "task.data_path=cifar")) == ["memory"]


def test_bfloat16_wants_a_cpu_that_multiplies_it(monkeypatch):
    half = "training.precision=bfloat16"
    assert missing(examine("digits-nano", half)) == []
    multiplies(monkeypatch, bfloat16=False)
    found = examine("digits-nano", half)
    assert missing(found) == ["device"]
    assert found["device"].fix == "training.precision=float32"
    assert missing(examine("digits-nano")) == []


def test_beside_a_gpu_the_host_holds_all_samples(monkeypatch):
    monkeypatch.setattr(doctor.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(doctor.torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(doctor.torch.cuda, "mem_get_info", lambda: (80e9, 80e9))
    monkeypatch.setattr(machine, "free_bytes", lambda: 25e9)
    found = examine("imagenet256-xl2")
    assert missing(found) == ["data", "extractor", "host memory"]
    assert "needs 29.4 GB at least, 25.0 GB free" in found["host memory"].says
    assert "smaller evaluation.n_gen" in found["host memory"].fix
    assert missing(examine("imagenet256-xl2", "evaluation.n_gen=10000")) == ["data", "extractor"]


def test_without_a_gpu_the_larger_of_two_needs_decides(monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda: 25e9)
    found = examine("imagenet256-b2", "training.micro_batch=8")
    assert "memory" in missing(found) and "host memory" not in found
    assert "needs 29.4 GB" in found["memory"].says
    assert "smaller evaluation.n_gen" in found["memory"].fix
    found = examine("imagenet256-b2", "evaluation.n_gen=2048")
    assert "needs 34.1 GB" in found["memory"].says
    assert "smaller training.micro_batch" in found["memory"].fix


def test_without_a_task_only_what_all_need_is_needed(tmp_path, monkeypatch):
    found = {f.what: f for f in doctor.examine_machine(Path("leaderboards"))}
    assert missing(found) == []
    assert found["cifar10"].state == found["latents"].state == "optional"
    write_cifar10(tmp_path / "cifar")
    monkeypatch.setenv("DARBENCH_CIFAR10", str(tmp_path / "cifar"))
    found = {f.what: f for f in doctor.examine_machine(Path("leaderboards"))}
    assert found["cifar10"].state == "other" and "40 items" in found["cifar10"].says


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["cifar10"], "unknown task 'cifar10'; did you mean cifar10-small"),
        (["digits-nano", "model.patch=3"], "digits-nano: patch=3: must divide"),
        (["digits-nano", "task.extractor=digits"], "unknown feature extractor"),
        (["digits-nano", "task.data_path=x"], "digits are no files; leave it out"),
        (["digits-nano", "training.step=3"], "did you mean training.steps"),
    ],
)
def test_what_is_no_trial_is_bad_input(line, message):
    with pytest.raises(BadInput, match=message):
        examine(*line)


def test_a_folder_that_cannot_be_written_is_missing(tmp_path):
    (tmp_path / "file").write_text("")
    found = {f.what: f for f in doctor.examine_machine(tmp_path / "file" / "x")}
    assert found["disk"].state == "missing" and "give another --out" in found["disk"].fix


def test_the_doctor_is_for_people_and_for_machines(run):
    code, out, err = run("doctor", "digits-nano")
    assert (code, err) == (0, "") and "nothing is missing" in out
    line = (
        "doctor",
        "cifar10-small",
        "training.steps=1",
        "evaluation.n_gen=64",
        "training.precision=float32",
    )
    code, out, err = run(*line)
    assert (code, err) == (1, "") and out.startswith("missing  data")
    assert "fix: " in out and out.endswith("2 missing\n")
    code, out, _ = run(*line, "--json")
    found = {row["what"]: row["state"] for row in json.loads(out)}
    assert code == 1 and found["data"] == found["extractor"] == "missing"
    assert found["device"] == "ok"


def test_the_doctor_says_that_it_reads_shards(run, made):
    line = ("doctor", "imagenet256-b2", f"task.data_path={made}", *SMALL)
    assert run(*line)[1].startswith(f"[0/2] reading the shards of {made}\nother    data")
    assert {row["what"] for row in json.loads(run(*line, "--json")[1])} >= {"data", "autoencoder"}
