"""The figures of a diagnosis: what each shows, in which unit, and where it comes from."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

DAR = "DAR, arXiv:2605.20708"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure; it is shown where an entry has one of its arrays."""

    id: str
    kind: str  # the function of scripts/ that draws it
    caption: str
    said: str
    arrays: tuple[str, ...]
    axis: str = ""  # title of the axis of values
    log: bool = False
    wide: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """What the script is told."""
        return {"array": self.arrays[0], "axis": self.axis, "log": "1" if self.log else ""}


def _depth(id: str, array: str, caption: str, axis: str, said: str, log: bool = True) -> Figure:
    return Figure(
        id=id, kind="depth", caption=caption, said=said, arrays=(array,), axis=axis, log=log
    )


def _time(measure: str, caption: str, axis: str, said: str) -> Figure:
    arrays = (f"routing_{measure}", f"softmax_{measure}")
    return Figure(id=measure, kind="time", caption=caption, said=said, arrays=arrays, axis=axis)


def _maps(id: str, array: str, caption: str, said: str) -> Figure:
    return Figure(id=id, kind="maps", caption=caption, said=said, arrays=(array,), wide=True)


FIGURES = (
    _depth(
        "magnitude",
        "rms_z",
        "Forward magnitude over depth",
        "RMS(z_k), activation",
        "RMS over images, tokens and features of z_k, what block k hands on; z_0 enters the first "
        f"block. First symptom ({DAR}).",
    ),
    _depth(
        "gradient",
        "rms_grad_z",
        "Gradient of the loss by a block’s state",
        "RMS(∂Loss/∂z_k), loss of a sample / activation",
        "Loss is the squared error of a sample’s velocity. Through all later sites where a "
        "routing reads its stream as it is, as add does; through the one that reads it elsewhere. "
        f"Second symptom ({DAR}).",
    ),
    _depth(
        "output-gradient",
        "rms_grad_v",
        "Gradient of the loss by a sublayer’s output",
        "RMS(∂Loss/∂v_j), loss of a sample / activation",
        "v_j is what site j − 1 hands over, v_0 the embedding. Through the whole rest of the "
        "model: it means the same for every routing. Of these grad_decay_ratio is made.",
    ),
    _depth(
        "cosine",
        "block_cosine",
        "Cosine of neighbouring blocks",
        "cos(z_k, z_k+1), mean over tokens",
        "Redundancy: 1 where a block hands on the direction it was handed. Third symptom "
        f"({DAR}).",
        log=False,
    ),
    _depth(
        "output-magnitude",
        "rms_v",
        "Magnitude of a sublayer’s output",
        "RMS(v_j), activation",
        "Unlike RMS(z_k) it does not depend on whether a routing adds or averages.",
    ),
    _depth(
        "relative-gradient",
        "relative_grad_v",
        "Gradient by a relative change of an output",
        "RMS(|v_j| |∂Loss/∂v_j|), loss of a sample",
        "Of a token; free of scale: the same for v and for c v, of which readers see the same.",
    ),
    _maps(
        "matrix",
        "routing_matrix",
        "Routing matrix A: site × source",
        "A[i, j] is the mean of the diagonal of ∂h_i/∂v_j, by random signs (Hutchinson, 1990), "
        "through the routing alone: the weight of output v_j in h_i, which site i reads; the last "
        "is the head’s. No unit. Colour: A / Σ|A| of the row, by its root, one scale for all.",
    ),
    _maps(
        "mixing",
        "softmax_weights",
        "Source mixing: softmax weights, site × source",
        "Mean over images, tokens and heads of the weight with which site i reads a source, at "
        "the newest output it is made of (−1: of none). Rows sum to 1. Colour by the root, one "
        f"scale for all. Mixing maps ({DAR}).",
    ),
    _maps(
        "gates",
        "gate_gradient",
        "Counterfactual gates of add: site × source",
        "∂Loss/∂g[i, j] at g = 1 for h_i = Σ g[i, j] v_j, unit of the loss: below 0 where reading "
        f"more of v_j would help. Counterfactual importance ({DAR}).",
    ),
    _time(
        "entropy",
        "Entropy of a read over t",
        "−Σ p ln p, nat",
        "Of the shares p of sources, mean over sites.",
    ),
    _time(
        "effective",
        "Effective sources over t",
        "exp of the entropy, sources",
        "How many sources, equally read, have the same entropy; mean over sites.",
    ),
    _time(
        "lookback",
        "Look-back over t",
        "mean of i − j, sublayers",
        "How far back a read lies by the same shares, 0 is the newest output; mean over sites.",
    ),
    Figure(
        id="variation",
        kind="depth",
        caption="Variation of a read over t",
        said="Total variation of a site’s shares |A| / Σ|A| from noise to data: each step between "
        "neighbouring times counts at most 1.",
        arrays=("routing_variation",),
        axis="total variation",
    ),
    _depth(
        "probe",
        "probe_r2",
        "Probe of t over depth",
        "R² in the held-out half",
        "Ridge regression of t on z_k, mean over tokens, over halves of 512 images; dotted, where "
        f"there is one: the same from x_t itself. Probe of the timestep ({DAR}).",
        log=False,
    ),
)
BEYOND = ("rms_v", "relative_grad_v", "relative_grad_z", "softmax_variation")  # a report alone


def shown(names: Collection[str]) -> list[Figure]:
    """The figures of which there is an array among the names."""
    return [figure for figure in FIGURES if {*figure.arrays} & {*names}]
