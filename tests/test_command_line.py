"""Commands in messages and on pages: quoted for a shell, and what a page may say."""

import shlex

import pytest

from darbench.command_line import command_line, files_of, published, republished


def test_only_what_is_not_the_default_is_said():
    words = ["darbench", "board", "--space", "a b"]
    assert command_line(words, "leaderboards") == "darbench board --space 'a b'"
    assert command_line(words[:2], "a b", 2, "cpu") == (
        "darbench board --out 'a b' --workers 2 --device cpu"
    )


def test_a_page_names_files_without_their_folders_and_all_else_as_it_is():
    words = {
        "darbench": "darbench",
        "sweep": "sweep",
        "--space": "--space",
        "/home/ada/my spaces/mine.yaml": "mine.yaml",
        "--load": "--load",
        "../work/own.py": "own.py",
        "task.data_path=/data/my pictures/cifar": "task.data_path=cifar",
        "training.repa.weights=~/w.pt": "training.repa.weights=w.pt",
        "variants.0.params={file: '/home/ada/x y.pt'}": "variants.0.params={file: 'x y.pt'}",
        "training.repa.checkpoint=/home/ada/a=b/w.pt": "training.repa.checkpoint=w.pt",
        "variants.1.params={file: /home/ada/a=b/x.pt}": "variants.1.params={file: x.pt}",
        "--space=/home/ada/a=b/t.yaml": "--space=t.yaml",
        "seeds=[0,1]": "seeds=[0,1]",
        "training.repa.encoder=timm:a/b": "training.repa.encoder=timm:a/b",
    }
    assert shlex.split(published(words)) == [*words.values()]
    assert shlex.split(published(["--space", "dar_variants"])) == ["--space", "dar_variants"]


@pytest.mark.parametrize("option", ["--load", "--space"])
@pytest.mark.parametrize("folder", ["/home/ada/a=b/", "a=b/", "~/a=b/c d=/", "/home/ada/a=/"])
def test_a_folder_may_have_an_equals_sign_in_its_name(option, folder):
    line = published(["darbench", "sweep", option, folder + "s.yaml"])
    assert line == f"darbench sweep {option} s.yaml"


def test_a_command_that_was_kept_whole_loses_its_folders_and_one_without_is_as_it_was():
    kept = "darbench sweep --space '/home/ada/my spaces/s.yaml' --load ../own.py 'a.b=[1, 2]'"
    clean = "darbench sweep --space s.yaml --load own.py 'a.b=[1, 2]'"
    assert republished(kept) == clean == republished(clean)
    assert republished("darbench sweep --space '/home/ada/s.yaml") == ""


def test_the_files_of_a_command_are_those_that_do_not_ship():
    assert files_of("darbench sweep --space dar_variants --load 'a b.py'") == ["a b.py"]
    assert files_of("darbench train --load a.py --load b.py --load a.py") == ["a.py", "b.py"]


def test_a_page_does_not_say_whom_a_sweep_notifies_or_where_it_is_tracked():
    words = ["darbench", "sweep", "--space", "x", "notify=curl -d @- https://a.b/secret"]
    words += ["+notify=y", "trackers=[wandb]", "seeds=[0]"]
    assert published(words) == "darbench sweep --space x 'seeds=[0]'"
