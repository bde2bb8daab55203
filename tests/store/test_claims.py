import os
import subprocess
import sys
import time

import pytest

from darbench.store.claims import FOLDER, Claims

DEAD = 30.0


@pytest.fixture
def claims(tmp_path):
    return lambda name, silent_s=DEAD: Claims(tmp_path, name, silent_s)


def files(folder):
    return sorted(path.name for path in (folder / FOLDER).iterdir())


def silence(folder, name, seconds):
    """Let a claim look as if nobody had touched it for so long."""
    path = folder / FOLDER / name
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_a_trial_is_of_who_claims_it_first_until_it_is_given_back(claims, tmp_path):
    one, two = claims("one"), claims("two")
    assert one.take("t") and not two.take("t") and not one.take("t") and two.take("u")
    assert files(tmp_path) == ["t.1", "u.1"]
    one.give_back("t")
    assert two.take("t")


def test_a_claim_of_the_dead_is_taken_over_once(claims, tmp_path):
    assert claims("dead").take("t")
    silence(tmp_path, "t.1", DEAD - 5)
    two, three = claims("two"), claims("three")
    assert not two.take("t")
    silence(tmp_path, "t.1", DEAD + 5)
    assert two.take("t") and not three.take("t")
    two.give_back("t")
    assert files(tmp_path) == []


def test_a_claim_that_is_touched_stays(claims, tmp_path):
    one, two = claims("one", 0.6), claims("two", 0.6)
    with one.beating():
        assert one.take("t")
        time.sleep(1.2)
        assert not two.take("t")
    assert two.take("t")  # given back at the end


def test_who_finds_another_living_claim_after_its_own_gives_way(claims, tmp_path, monkeypatch):
    """Another gave the trial back, a third has claimed it, and this one had looked before."""
    one, late = claims("one"), claims("late")
    looks, look = [], Claims._of

    def before(self, trial_id):
        looks.append(look(self, trial_id))
        if self is late and len([*looks]) == 1:
            (tmp_path / FOLDER / "t.1").touch()
            silence(tmp_path, "t.1", DEAD + 5)
            seen = look(self, trial_id)
            (tmp_path / FOLDER / "t.1").unlink()
            assert one.take("t")
            silence(tmp_path, "t.1", DEAD + 5)
            monkeypatch.setattr(Claims, "_of", look_and_revive)
            return seen
        return looks[-1]

    def look_and_revive(self, trial_id):
        one.beat()
        return look(self, trial_id)

    monkeypatch.setattr(Claims, "_of", before)
    assert not late.take("t") and files(tmp_path) == ["t.1"]


RACE = """
import sys
from pathlib import Path
from darbench.store.claims import Claims
claims = Claims(Path(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(" ".join(str(n) for n in range(200) if claims.take(f"t{n}")))
"""


def test_of_many_processes_one_gets_each_trial(tmp_path):
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), f"p{i}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for process in racing:  # all begin at once
        assert process.stdout.readline() == "ready\n"
    for process in racing:
        process.stdin.write("go\n")
        process.stdin.flush()
    got = [process.communicate(timeout=60)[0].split() for process in racing]
    assert sorted(int(n) for each in got for n in each) == [*range(200)]
