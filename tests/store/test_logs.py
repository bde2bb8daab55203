import re
import sys

from darbench.store.logs import Log, log_file, tail


def test_lines_have_the_time_and_no_folders(tmp_path):
    path = log_file(tmp_path, "t0")
    log = Log(path)
    log.say("begins")
    log.say("cannot read /home/me/a.pt\n  second line\n")
    first, second, third = path.read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ begins", first)
    assert second.endswith("Z cannot read a.pt") and third == "  second line"
    assert tail(path, 2) == [second, third]


def test_what_is_printed_is_in_it_as_it_comes(tmp_path, capsys):
    log = Log(log_file(tmp_path, "t0"))
    with log.printed():
        print("one")
        print("two", file=sys.stderr)
        log.say("four")
        lines = tail(log_file(tmp_path, "t0"), 9)
    assert lines[:2] == ["one", "two"] and lines[2].endswith("Z four")
    print("outside")
    assert capsys.readouterr().out == "outside\n"


def test_a_log_that_cannot_be_written_is_done_without(tmp_path, capsys):
    (tmp_path / "logs").write_text("in the way")
    log = Log(log_file(tmp_path, "t0"))
    log.say("lost")
    with log.printed():
        print("kept")
    assert capsys.readouterr().out == "kept\n" and tail(log_file(tmp_path, "t0"), 3) == []
