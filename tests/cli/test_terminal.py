import io
import json
import os
import pty
import subprocess
import sys
from textwrap import dedent

from rich.console import Console

from darbench.cli import terminal as display
from darbench.search.progress import Progress
from tests.make.trials import toy_trial

ADD = toy_trial(label="add")


def progress(**counts) -> Progress:
    return Progress(**{"total": 10, "skipped": 2} | counts)


def ok(value: float | None) -> dict:
    return {"status": "ok", "val_loss": value}


def rendered(p: Progress) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    console.print(display._status(p))
    return console.file.getvalue()


def test_the_status_shows_counts_best_and_time_left():
    p = progress()
    for seed in range(5):
        p.began(toy_trial(pair_id=seed))
    for seed in range(3):
        p.ended(toy_trial(label="add [depth=6]", pair_id=seed), ok(0.25))
    text = rendered(p)
    assert "5/10, 2 running, about 0:0" in text
    assert "add [depth=6]: val_loss 0.2500" in text


def test_brackets_in_a_label_are_no_markup():
    p = progress()
    p.event = "[/red] [bold]x[/bold] [depth=6]"
    assert p.event in rendered(p)


def test_without_a_terminal_every_event_is_one_plain_line(capsys):
    with display.listening(quiet=False) as listener:
        p = progress()
        p.event = "started: add [depth=6], seed 0"
        listener(p)
        p.ended(ADD, {"status": "oom", "error": "too large"})
        listener(p)
    assert capsys.readouterr().out.splitlines() == [
        "[2/10] started: add [depth=6], seed 0",
        "[3/10, 1 failed] oom: add, seed 0: too large",
    ]


def test_quiet_says_nothing(capfd):
    with display.listening(quiet=True) as listener:
        listener(progress())
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_has_gone_does_not_end_the_sweep():
    code = """
    import time
    from darbench.cli.terminal import listening
    from darbench.search.progress import Progress
    with listening(quiet=False) as listener:
        for step in range(3):
            p = Progress(total=1, skipped=0, event=str(step))
            listener(p)
            time.sleep(0.2)
    import os, sys
    print("went on", file=sys.stderr)
    sys.stderr.flush()
    os._exit(0)
    """
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert done.stderr == "went on\n"


def on_a_terminal(code: str) -> bytes:
    """Return all that the code writes to a terminal, also what it erases again."""
    terminal, end = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(code)], stdout=end, stderr=end, env=environment
    )
    os.close(end)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        shown += part
    assert process.wait() == 0
    return shown


def test_on_a_terminal_news_stay_and_the_status_goes():
    events = ["started: add, seed 0", "done: add [depth=6], seed 0: val_loss 0.5"]
    code = f"""
    import json
    from darbench.cli.terminal import listening
    from darbench.search.progress import Progress
    with listening(quiet=False) as listener:
        for event in json.loads({json.dumps(events)!r}):
            listener(Progress(total=2, skipped=0, event=event))
    """
    shown = on_a_terminal(code)
    assert f"{events[1]}\r\n".encode() in shown
    assert f"{events[0]}\r\n\x1b[?25h".encode() not in shown


def test_a_count_without_news_is_no_line(capsys):
    with display.counting("shards", quiet=False) as listener:
        listener(0, 2, "reading")
        listener(1, 2, "")
    assert capsys.readouterr().out == "[0/2] reading\n"


def test_on_a_terminal_a_count_moves_a_bar_once_there_is_one():
    code = """
    from darbench.cli.terminal import counting
    with counting("shards", quiet=False) as listener:
        for done in range({}):
            listener(done, 2, "" if done else "reading")
    """
    shown = on_a_terminal(code.format(3))
    assert b"reading\r\n" in shown and b"shards" in shown and b"100%" in shown
    assert b"shards" not in on_a_terminal(code.format(0))
