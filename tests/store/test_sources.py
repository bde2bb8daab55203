import json
import os

from darbench.folders import code_without_folders
from darbench.store.sources import Source, keep, read_sources

CODE = 'a = (b)/c / 2\nopen("/home/someone/data/w.npy")  # from /home/someone/x.py\nb = x[1]/y/z\n'


def test_code_is_kept_once_for_each_hash_without_folders(tmp_path):
    keep(tmp_path, "0123abcd", lambda: Source(files={"mine.py": CODE}, bibtex="@misc{a}"))
    keep(tmp_path, "0123abcd", lambda: 1 / 0)
    found = read_sources(tmp_path, ["0123abcd", "ffffffff"])
    assert [*found] == ["0123abcd"] and found["0123abcd"].bibtex == "@misc{a}"
    text = found["0123abcd"].files["mine.py"]
    assert text == 'a = (b)/c / 2\nopen("w.npy")  # from x.py\nb = x[1]/y/z\n'


def test_links_in_code_stay():
    assert code_without_folders("# https://arxiv.org/abs/1/x") == "# https://arxiv.org/abs/1/x"


def test_no_hash_leads_out_of_the_folder_and_no_link_is_read(tmp_path):
    (tmp_path / "secret.json").write_text(json.dumps({"files": {"a": "secret"}, "bibtex": ""}))
    keep(tmp_path, "../secret2", lambda: 1 / 0)
    (tmp_path / "sources").mkdir()
    os.symlink(tmp_path / "secret.json", tmp_path / "sources" / "abcdef12.json")
    assert read_sources(tmp_path, ["../secret", "abcdef12"]) == {}


def test_what_is_damaged_is_left_out(tmp_path):
    (tmp_path / "sources").mkdir()
    for k, text in enumerate(("{", "[]", '{"files": [], "bibtex": ""}', '{"files": {}}')):
        (tmp_path / "sources" / f"abcdef{k}.json").write_text(text)
    assert read_sources(tmp_path, [f"abcdef{k}" for k in range(4)]) == {}
