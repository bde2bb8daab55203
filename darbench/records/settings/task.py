"""The settings of a task: its data, and how a model is judged."""

from dataclasses import dataclass
from typing import Any

from darbench.records.metric import COMPARED
from darbench.records.setting import NEVER, Settings, setting


@dataclass(frozen=True, kw_only=True)
class Task(Settings):
    """The data to learn and how a model is judged: the same for all variants of a comparison."""

    SECTION = "task"

    name: str = setting("???", doc="what it is called; required")
    version: int = setting(1, doc="part of every id: results of two versions do not mix")
    data: str = setting(
        "???",
        doc="`digits`; `shapes` or `photos`, of 16 x 16, or with `-8` or `-32`; `fashion-mnist`, "
        "`cifar10`, `latents`, or `image_folder_N` with N of 32, 64, 128, 256",
    )
    data_path: str = setting("", doc="folder of data that do not ship", in_identity=NEVER)
    fingerprint: str = setting("", doc="hash of those data; where it is given, others are refused")
    extractor: str = setting(
        "???",
        doc="features of FD, KID, precision and recall: `digits-cnn`, `shapes-cnn`, "
        "`photos-cnn`, `efficientnet-lite0` or `inception-v3-compat`",
    )
    rank_by: str = setting(
        "???", doc=" or ".join(f"`{name}`" for name in COMPARED), in_identity=NEVER
    )
    summary: str = setting("", doc="what `darbench list tasks` says of it", in_identity=NEVER)
    quick: tuple[str, ...] = setting(
        (), doc="the overrides that `--quick` stands for", in_identity=NEVER
    )
    hours: dict[str, float] = setting(
        {}, doc="hours of one trial of `add`, by hardware", in_identity=NEVER
    )
    # A dictionary {pairs, seed, pair, correlation} for every metric.
    noise: dict[str, Any] = setting(
        {}, doc="what `darbench noise-floor` measured, for `darbench plan`", in_identity=NEVER
    )

    @property
    def data_id(self) -> str:
        """The identity of the data: their name if they ship, otherwise their fingerprint."""
        return f"{self.data}@{self.fingerprint}" if self.fingerprint else self.data

    def identity(self) -> dict[str, Any]:
        values = super().identity()
        del values["fingerprint"]
        return values | {"data": self.data_id}
