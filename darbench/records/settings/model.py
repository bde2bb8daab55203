"""The settings of the SiT backbone."""

from dataclasses import dataclass, replace
from typing import Any

from darbench.records.setting import (
    IF_CHANGED,
    NEVER,
    POSITIVE,
    Settings,
    at_least,
    one_of,
    setting,
)

# These names repeat those in darbench.model, for a configuration is checked without torch.
SKIPS = ("none", "time")
GATES = ("adaln", "one_plus", "none")


# The settings that make a backbone a control, and their values in one that is none.
PLAIN: dict[str, Any] = {"skip": "none", "gate": None, "mlp_hidden": None}


@dataclass(frozen=True, kw_only=True)
class Model(Settings):
    """The SiT backbone; `size` fills in depth, width and heads where they are not given."""

    SECTION = "model"

    size: str = setting(
        "nano",
        doc="`nano`, `S`, `B`, `L` or `XL`: depth, width and heads where they are not given",
        in_identity=NEVER,
    )
    depth: int | None = setting(None, doc="blocks; each holds two sites")
    width: int | None = setting(None, doc="width of a token")
    heads: int | None = setting(None, doc="attention heads; must divide the width")
    patch: int = setting(2, doc="side of a patch; must divide the item's")
    mlp_ratio: float = setting(4.0, POSITIVE, doc="width of the MLP over that of a token")
    learn_sigma: bool = setting(
        False, doc="twice the output channels, as the official SiT; the second half is unused"
    )
    zero_t_embed: bool = setting(
        False, doc="zero the last layer of the timestep embedder at the start"
    )
    # What makes it a control, which is no routing; the budget is that of the plain backbone.
    skip: str = setting(
        "none",
        one_of(*SKIPS),
        doc="`none`, or `time`: the output is alpha(t) times the input plus beta(t) times what "
        "the network makes",
        in_identity=IF_CHANGED,
    )
    gate: str | None = setting(
        None,
        one_of(*GATES).or_null(),
        doc="form of the sublayers' gates: `adaln`, `one_plus` or `none`; null is the routing's",
        in_identity=IF_CHANGED,
    )
    mlp_hidden: int | None = setting(
        None,
        at_least(1).or_null(),
        doc="width of the MLP in place of `mlp_ratio`, which still decides the budget",
        in_identity=IF_CHANGED,
    )

    @property
    def plain(self) -> "Model":
        """The backbone of which this one is a control: `add` on it decides the budget."""
        return replace(self, **PLAIN)
