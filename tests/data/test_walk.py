"""Links are followed and each folder is entered once; nothing is lost without a word."""

import pytest

from darbench.data.walk import Walk
from darbench.errors import BadInput


def lay(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def below(folder):
    return [path.relative_to(folder).as_posix() for path in Walk().files(folder)]


def test_files_come_in_the_order_of_names_those_of_a_folder_first(tmp_path):
    lay(tmp_path, "b", "a/z", "a/10", "a/2", "a/c/x", "C")
    assert below(tmp_path) == ["C", "b", "a/10", "a/2", "a/z", "a/c/x"]


def test_links_to_files_and_folders_are_followed_out_of_the_folder(tmp_path):
    lay(tmp_path, "blobs/1", "snapshot/real/2")
    (tmp_path / "snapshot" / "file").symlink_to("../blobs/1")
    (tmp_path / "snapshot" / "folder").symlink_to(tmp_path / "blobs")
    assert below(tmp_path / "snapshot") == ["file", "folder/1", "real/2"]
    (tmp_path / "link").symlink_to("snapshot")
    assert below(tmp_path / "link") == ["file", "folder/1", "real/2"]


@pytest.mark.parametrize("name", ["x.png", "class", "a/x.txt"])
def test_a_link_that_leads_nowhere_is_named(tmp_path, name):
    lay(tmp_path, "a/1")
    (tmp_path / name).symlink_to("/nonexistent/1.png")
    with pytest.raises(
        BadInput, match=f"^{tmp_path / name}: a link that leads nowhere, to /nonex"
    ):
        below(tmp_path)


@pytest.mark.parametrize("target", [".", "..", "../a", "../b"])
def test_no_folder_is_entered_twice(tmp_path, target):
    lay(tmp_path, "a/1", "b/2")
    (tmp_path / "a" / "again").symlink_to(target)
    with pytest.raises(BadInput, match=r"the same folder as .*, by a link"):
        below(tmp_path)


def test_a_link_to_itself_leads_nowhere(tmp_path):
    (tmp_path / "x").symlink_to("x")
    with pytest.raises(BadInput, match="/x: a link that leads nowhere"):
        below(tmp_path)


def test_files_of_systems_and_archivers_are_set_aside(tmp_path):
    of_system = [".DS_Store", "Thumbs.db", "__MACOSX/a/._1.png", "__MACOSX/a/._2.png", "a/._1.png"]
    lay(tmp_path, "a/1.png", *of_system)
    (tmp_path / "a" / ".#1.png").symlink_to("someone@nowhere")  # an editor's lock
    walk = Walk()
    assert [path.name for path in walk.files(tmp_path)] == ["1.png"]
    aside = {path.relative_to(tmp_path).as_posix() for path in walk.system}
    assert aside == {*of_system, "a/.#1.png"}
