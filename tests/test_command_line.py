"""Commands in messages and on pages: quoted for a shell, and what a page may say."""

import shlex

from darbench.command_line import command_line, published


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
        "seeds=[0,1]": "seeds=[0,1]",
        "training.repa.encoder=timm:a/b": "training.repa.encoder=timm:a/b",
    }
    assert shlex.split(published(words)) == [*words.values()]
    assert shlex.split(published(["--space", "dar_variants"])) == ["--space", "dar_variants"]
