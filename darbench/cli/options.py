"""The arguments and options that verbs take, each with its help."""

from pathlib import Path
from typing import Annotated

import typer

from darbench.records.metric import COMPARED

Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Hydra overrides, such as training.steps=200 or seeds=[0,1]."),
]
Parameters = Annotated[
    list[str] | None, typer.Argument(help="Parameters of the routing, such as params.span=2.")
]
Task = Annotated[str, typer.Option(help="A name of `darbench list tasks`.")]
AnyTask = Annotated[str | None, typer.Argument(help="A name of `darbench list tasks`.")]
Routing = Annotated[str, typer.Option(help="A name of `darbench list routings`.")]
TrialId = Annotated[str, typer.Argument(metavar="[TRIAL]", help="A trial's id, or its start.")]
Checkpoint = Annotated[
    Path | None, typer.Option(help="A file of weights: .safetensors, or of torch.save.")
]
Seed = Annotated[int, typer.Option(min=0, help="Pair id: equal seeds share all noise.")]
Swept = Annotated[str, typer.Option("--space", help="Name of a sweep under OUT.")]
Space = Annotated[str, typer.Option(help="A name of `darbench list spaces`, or a YAML file.")]
Quick = Annotated[bool, typer.Option("--quick", help="The task's short form.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would run.")]
Out = Annotated[Path, typer.Option(help="Folder under which every result is written.")]
Name = Annotated[
    str, typer.Argument(metavar="[NAME]", help="A leaderboard in OUT, or its folder; else all.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Workers = Annotated[
    int | None, typer.Option(help="Trials at a time; default: one a core, or one a GPU.")
]
Load = Annotated[
    list[Path] | None,
    typer.Option("--load", help="A Python file of routings or encoders; may be repeated."),
]
Vae = Annotated[Path, typer.Option(help="Folder of diffusers' AutoencoderKL.")]
Images = Annotated[Path, typer.Option(help="Folder of CLASS/*.png, *.jpg or *.webp.")]
Latents = Annotated[Path, typer.Option(help="Folder of the latents.")]
Size = Annotated[int, typer.Option(help="Side to which images are cropped.")]
Processes = Annotated[
    int | None, typer.Option(min=1, help="Processes; default: one a core, or one a GPU.")
]
Effect = Annotated[str, typer.Option(help="Relative change to be seen, such as 2% or 0.02.")]
Metric = Annotated[str, typer.Option(help=f"{' or '.join(COMPARED)}; default: the task's own.")]
Variants = Annotated[int, typer.Option(min=1, help="Number of variants compared with add.")]
Silent = Annotated[
    float, typer.Option(min=1, help="Seconds after which a worker that says nothing is dead.")
]
