"""The report of diagnoses: all pictures in one HTML file that opens without server or network."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from darbench.files import replacing
from darbench.pages.inert import plotly_js
from darbench.pages.pictures import Pictures
from darbench.pages.script import digest, script
from darbench.pages.template import SHARED, template

NAME = "diagnosis.html"


def write_report(folder: Path, name: str, parts: Sequence[Pictures]) -> Path:
    """Write folder/diagnosis.html by rename; `name` is its heading."""
    own, path = script(SHARED, ()), folder / NAME
    page = template(SHARED, "report.html", {}).render(
        name=name,
        parts=parts,
        trials=sum(len(s.trials) for part in parts for s in part.subjects),
        script=Markup(own),
        digest=digest(own),
        plotly=plotly_js(),
    )
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path
