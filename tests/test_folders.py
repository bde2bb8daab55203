import pytest

from darbench.folders import without_folders

TEXTS = {
    "[Errno 2] No such file or directory: '/home/ada/my data/weights.pt'": (
        "[Errno 2] No such file or directory: 'weights.pt'"
    ),
    "/home/ada/work/mine.py:12: ValueError": "mine.py:12: ValueError",
    "cannot read ~/secret/x.yaml, nor ~ada/y.yaml": "cannot read x.yaml, nor y.yaml",
    'File "/home/ada/x.py", line 3': 'File "x.py", line 3',
    "PATH=/home/ada/bin:/usr/bin": "PATH=bin:bin",
    "at file:///home/ada/x.py": "at x.py",
    "(/a/b/c), [/d/e]": "(c), [e]",
    "cannot read /home/ada/lr=1/x.pt": "cannot read x.pt",
    "in the folder /home/ada/": "in the folder ada/",
    "`/home/ada/`": "`ada/`",
}
SAME = ("1/2 and a/b, e / f", "see https://pytorch.org/get/started", "3 // 2", "half/ of it", "")


@pytest.mark.parametrize("text", TEXTS)
def test_paths_lose_their_folders(text):
    assert without_folders(text) == TEXTS[text]
    assert without_folders(TEXTS[text]) == TEXTS[text]


@pytest.mark.parametrize("text", SAME)
def test_what_is_no_path_from_the_root_stays(text):
    assert without_folders(text) == text
