"""The texts that verbs print; tables of `sensitivity`, `noise-floor`, `plan` are in `tables`."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from darbench.command_line import command_line
from darbench.records.metric import METRICS
from darbench.search.prune import NONE

if TYPE_CHECKING:  # these import torch
    from darbench.commands.doctor import Finding
    from darbench.commands.prepare import Prepared
    from darbench.search.headless import Worked
    from darbench.search.sweep import SweepResult

WIDE = ("search parameters", "summary")  # columns that get a table of their own
_DIGITS = 2  # of hours, which are a rough guess
NO_EDGE = 500  # the width when printing to a file, so that rows do not wrap


def render(table: Table) -> str:
    console = Console()
    if not console.is_terminal:
        console.width = NO_EDGE
    with console.capture() as captured:
        console.print(table)
    return captured.get().removesuffix("\n")


def listing_text(rows: list[dict[str, Any]]) -> str:
    narrow = [{k: v for k, v in row.items() if k not in WIDE} for row in rows]
    texts = [render(_listing_table(narrow))]
    for column in rows[0].keys() & WIDE:
        wide = [{"name": row["name"], column: row[column]} for row in rows if row[column]]
        texts.append(render(_listing_table(wide)))
    return "\n\n".join(texts)


def _listing_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column, value in rows[0].items():
        right = "right" if isinstance(value, (int, float)) else "left"
        named = column == "name"
        table.add_column(column, style="bold" if named else "", justify=right, no_wrap=named)
    for row in rows:
        table.add_row(*(Text(_cell(column, value)) for column, value in row.items()))
    return table


def _cell(column: str, value: Any) -> str:
    if column.startswith("FLOPs"):
        return f"{value:+.2%}"
    if column.endswith("FLOPs"):
        return f"{value:.2e}"
    if column == "hours":
        return "; ".join(f"{hours:,.3g} on {where}" for where, hours in value.items())
    if isinstance(value, dict):
        return ", ".join(_parameter(key, **facts) for key, facts in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _parameter(key: str, default: Any, values: list[Any] | str) -> str:
    others = "|".join(map(str, values)) if isinstance(values, list) else values
    return f"{key}={default} ({others})"


def findings_text(findings: "list[Finding]") -> str:
    from darbench.commands.doctor import MISSING, OTHER

    missing = sum(finding.state == MISSING for finding in findings)
    others = [finding.what for finding in findings if finding.state == OTHER]
    but = f", but not what is published: {', '.join(others)}" if others else ""
    last = f"{missing} missing" if missing else f"nothing is missing{but}"
    return "\n".join([*map(_finding_lines, findings), last])


def _finding_lines(finding: "Finding") -> str:
    line = f"{finding.state:9}{finding.what:12}{finding.says}"
    return f"{line}\n{'':21}fix: {finding.fix}" if finding.fix else line


def checks_text(results: list[dict[str, Any]]) -> str:
    passed = sum(result["passed"] for result in results)
    return "\n".join([*_check_lines(results), f"{passed} of {len(results)} checks passed"])


def _check_lines(results: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each check, under a line with its setting if there are several."""
    settings = [_setting(result) for result in results]
    for before, setting, result in zip([None, *settings], settings, results, strict=False):
        if len(set(settings)) > 1 and setting != before:
            yield f"{setting}:"
        mark = "ok  " if result["passed"] else "FAIL"
        yield f"{mark} {result['name']}: {result['claim']} ({result['seconds']:.1f} s)"
        if result["note"]:
            yield f"     note: {result['note']}"
        if not result["passed"]:
            yield "     " + result["message"].replace("\n", "\n     ")


def _setting(result: dict[str, Any]) -> str:
    """The routing and the parameters of a check, such as "dar span=2"."""
    return " ".join([result["routing"], *(f"{k}={v}" for k, v in result["params"].items())])


def prepared_text(prepared: "Prepared") -> str:
    read = "".join(f"of the images: {words}\n" for words in prepared.treated)
    return (
        f"{read}{prepared.images} images, fingerprint {prepared.fingerprint}\n"
        f"next: export {prepared.variable}={shlex.quote(str(prepared.out.resolve()))}\n"
        "then: darbench doctor imagenet256-b2"
    )


def checkpoint_line(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['status']} at step {row['step']}: {row['error']}"
    line = f"step {row['step']:>6}  {row['train_flops']:.2e} FLOP  val_loss {row['val_loss']:.4f}"
    if row["fd"] is not None:
        line += f"  {METRICS['fd'].title_in(row['extractor'])} {row['fd']:.2f}"
    return line


def trained_text(last: dict[str, Any], out: Path) -> str:
    board = command_line(["darbench", "board", "--space", "train"], out)
    return f"row hash {last['row_hash']}; trial {last['trial_id']}\nnext: {board}"


def preview_text(preview: dict[str, Any]) -> str:
    grounds = preview["grounds"]
    last = (
        f"{preview['total']} trials ({preview['sampler']}, seeds {preview['seeds']}), "
        f"{preview['finished']} finished already, budget "
        f"{_steps(grounds)} add steps each{_hours(preview['hours'])}; nothing ran"
    )
    more = [
        *_grounds(grounds),
        *_tuned(preview["tuned"]),
        *_coarse(preview["coarse"]),
        *preview["matches"],
        *_early(preview["prune"]),
    ]
    return "\n".join([*preview["configurations"], *more, last])


def _steps(grounds: list[dict[str, Any]]) -> str:
    """The steps of all grounds, the least and the most where they differ."""
    steps = sorted(ground["steps"] for ground in grounds)
    return str(steps[0]) if steps[0] == steps[-1] else f"{steps[0]} to {steps[-1]}"


def _tuned(tuned: dict[str, Any] | None) -> list[str]:
    if tuned is None:
        return []
    return [
        f"each of these also at its own best {' and '.join(tuned['over'])}: {tuned['trials']} of "
        f"the trials find it, on seeds {tuned['seeds']}"
    ]


def _coarse(coarse: dict[str, Any] | None) -> list[str]:
    if coarse is None:
        return []
    return [
        f"every ground first on seeds {coarse['seeds']}, {coarse['trials']} of the trials; the "
        "others run only where a variant differs from add there"
    ]


def _early(pruner: str) -> list[str]:
    if pruner == NONE:
        return []
    return [f"{pruner} stops some of them early: trials and hours below are the most it takes"]


def _hours(hours: dict[str, Any] | None) -> str:
    """The time of all trials; empty where the cards tell none."""
    if hours is None:
        return ""
    texts = [f"{hours[end]:.{_DIGITS}g}" for end in ("least", "most")]
    span = " to ".join(dict.fromkeys(texts))
    workers = f"{hours['workers']} worker" + "s" * (hours["workers"] > 1)
    return f", about {span} h on {workers} (from the cards: {'; '.join(hours['hardware'])})"


def _grounds(grounds: list[dict[str, Any]]) -> list[str]:
    """A line for each point of the axes; none without axes."""
    points = [{k: v for k, v in ground.items() if k != "steps"} for ground in grounds]
    if not points[0]:
        return []
    lines = [f"  {', '.join(f'{name}={v}' for name, v in point.items())}" for point in points]
    return [f"each of these on {len(points)} ground{'s' * (len(points) > 1)}:", *lines]


def counts(result: "SweepResult") -> str:
    minutes, seconds = divmod(round(result.seconds), 60)
    return (
        f"{result.total} trials: {result.done} done, {_pruned(result.pruned)}"
        f"{result.failed} failed, "
        f"{result.skipped} finished earlier, in {minutes} min {seconds} s"
    )


def _pruned(count: int) -> str:
    return f"{count} pruned, " if count else ""


def closing(result: "SweepResult", again: str) -> str:
    """Return how a sweep ended and what to do next; `again` is the command that continues it."""
    lines = [counts(result)]
    if result.interrupted:
        lines.append(f"interrupted with {result.left} trials left; go on with: {again}")
    lines.append(f"leaderboard: {result.board}")
    if result.failed and not result.interrupted:
        lines.append(
            "next: the board lists the failures; what crashed or ran out of time or memory is "
            f"tried again by: {again}"
        )
    elif not result.interrupted:
        lines.append(f"next: open it in a browser; results as a table: {result.results}")
    return "\n".join(lines)


def worked_text(made: "Worked", out: Path) -> str:
    counts = f"{made.done} done and {made.failed} failed here, {made.elsewhere} elsewhere"
    board = command_line(["darbench", "board", "--space", made.name], out)
    return f"{made.total} trials: {counts}\nnext: {board}"
