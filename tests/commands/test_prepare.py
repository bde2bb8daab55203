import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from darbench.data import load
from tests.make.data import write_autoencoder, write_images


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    write_autoencoder(folder)
    return folder


def arguments(vae, images, out, *more):
    options = ("--vae", vae, "--data", images, "--out", out, "--size", 16, *more)
    return ["prepare", "imagenet", *map(str, options)]


def test_the_command_prepares_and_counts(run, vae, tmp_path):
    images = tmp_path / "images"
    write_images(images, classes=3, each=10)
    line = arguments(vae, images, tmp_path / "out", "--workers", 1, "--device", "cpu")
    code, out, err = run(*line)
    assert (code, err) == (0, "")
    assert out.startswith(f"[0/1] 30 images of {images}\n[1/1] wrote shard-00000")
    assert "30 images, fingerprint" in out and "next: " in out
    assert json.loads(run(*line, "--json")[1])["images"] == 30
    assert load("latents", str(tmp_path / "out")).n_train == 27


def test_how_images_were_read_and_what_was_passed_over_is_said_once(run, vae, tmp_path):
    images = tmp_path / "images"
    write_images(images, classes=2, each=6)
    for i in range(2):
        Image.new("LA", (40, 40), (i, 9)).save(images / "a" / f"{i}.png")
    Image.new("RGB", (40, 40)).save(images / "r.png")
    line = arguments(vae, images, tmp_path / "out", "--workers", 1, "--device", "cpu")
    passed = "passed over 1 beside the class folders such as r.png"
    _, out, _ = run(*line)
    assert out.startswith(f"[0/1] 13 images of {images}; {passed}\n")
    assert out.count(passed) == out.count("of the images: 2 transparent, shown on white\n") == 1
    remarks = json.loads(run(*line, "--json")[1])["remarks"]
    assert remarks == ["2 transparent, shown on white", passed]


def test_a_damaged_picture_is_one_line(run, vae, tmp_path):
    write_images(tmp_path / "images", classes=2, each=6)
    broken = tmp_path / "images" / "b" / "3.png"
    broken.write_bytes(broken.read_bytes()[:1500])
    line = arguments(vae, tmp_path / "images", tmp_path / "out", "--workers", 1, "--device", "cpu")
    code, _, err = run(*line)
    assert code == 2 and err.count("\n") == 1
    assert err.startswith(f"darbench: {broken}: cannot be read as an image (")


def running(group: int) -> list[Path]:
    """The processes of a group, without dead ones that are not yet collected."""
    running = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its = path.read_text().rpartition(")")[2].split()[:3]
            running += [path] if int(its) == group and state != "Z" else []
    return running


def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(vae, tmp_path):
    write_images(tmp_path / "images", classes=2, each=2000, size=(8, 8))
    line = arguments(vae, tmp_path / "images", tmp_path / "out", "--workers", 2)
    run = subprocess.Popen(
        [sys.executable, "-m", "darbench", *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout.readline().startswith("[0/4]")
    time.sleep(3)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130 and "Traceback" not in err
    assert err.endswith(
        "finished shards are kept; the same command goes on from there\ndarbench: interrupted\n"
    )
    until = time.monotonic() + 10
    while running(run.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(run.pid)
