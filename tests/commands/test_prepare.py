import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

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
