import uuid

import pytest

from darbench.errors import BadInput
from darbench.store.shelf import shelf


@pytest.fixture(params=["folder", "file", "memory"])
def place(request, tmp_path):
    """A place for shelves: a folder, and URLs of two file systems of fsspec."""
    return {
        "folder": str(tmp_path / "there"),
        "file": f"file://{tmp_path}/there",
        "memory": f"memory://{uuid.uuid4()}",
    }[request.param]


def put(place, name, text, *below):
    with shelf(place, *below).writing(name) as path:
        path.write_text(text)


def get(place, name, *below):
    with shelf(place, *below).reading(name) as path:
        return path.read_text()


def test_what_is_written_is_read_by_whoever_comes_later(place):
    assert shelf(place, "a").names() == []
    put(place, "one", "1", "a")
    put(place, "two", "2", "a")
    put(place, "two", "3", "a")
    assert sorted(shelf(place, "a").names()) == ["one", "two"]
    assert (get(place, "one", "a"), get(place, "two", "a")) == ("1", "3")
    shelf(place, "a").remove("one")
    shelf(place, "a").remove("one")
    assert shelf(place, "a").names() == ["two"]
    shelf(place, "a").clear()
    shelf(place, "a").clear()
    assert shelf(place, "a").names() == []


def test_what_is_not_there_is_an_error_of_files(place):
    with pytest.raises(OSError):
        get(place, "nothing")


def test_a_file_is_there_whole_or_as_it_was(place):
    put(place, "one", "old")
    with pytest.raises(KeyError), shelf(place).writing("one") as path:
        path.write_text("half")
        raise KeyError
    assert get(place, "one") == "old" and shelf(place).names() == ["one"]


def test_a_url_of_nothing_is_bad_input():
    with pytest.raises(BadInput, match=r"^nowhere://a: .*; give a folder, or a URL that fsspec"):
        shelf("nowhere://a")
