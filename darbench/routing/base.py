"""The one interface of a residual routing.

Shape letters, here and in every routing: B batch, T tokens, D width, N sites, S streams,
J sources. A site is a sublayer, counted from 0; block k holds the sites 2k (attention) and
2k + 1 (MLP). The sublayer of site i hands over v_{i+1}; v_0 is the embedding.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from darbench.records.paper import Paper

State = Any  # a Tensor, or a NamedTuple of tensors and tuples of them; never a list


class Cond(NamedTuple):
    """The conditions of the model, which are constant over depth."""

    time: Tensor  # (B,) raw t in [0, 1]; 0 is noise, 1 is data
    label: Tensor  # (B,) class index, the null class included
    t: Tensor  # (B, D) timestep embedding
    y: Tensor  # (B, D) label embedding
    c: Tensor  # (B, D) t + y, the input of adaLN


class Routing(nn.Module, ABC):
    """A causal map over depth: before site i it answers h_i = R_i(v_0 .. v_i; cond).

    The trunk is: state = begin(x, cond); for every site h, state = take(state, site),
    v = sublayer(h), state = write(state, site, v); then read(state, sites) goes to the head. The
    verbs are pure: they return new values and change nothing, so a read can be repeated,
    checkpointed, compiled.

    `take` returns what `read` does and the state to go on with, by default the same state. A
    routing whose read leaves something for later (sources whose gradients add up in one tensor,
    maps that `write` needs) overrides `take` instead of `read`.

    The keyword-only constructor arguments are the search parameters of the variant; `Literal`
    annotations name their choices. A routing initialises its own parameters.
    """

    name: ClassVar[str] = ""  # set by @register
    paper: ClassVar[str] = ""  # "arXiv:2605.20708"
    citation: ClassVar[Paper | None] = None
    # Parameters that cover all paths through the code, for `darbench check` and the tests.
    settings: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    gate: ClassVar[Literal["adaln", "one_plus", "none"]] = "adaln"  # form of the sublayer's gate
    # Equality to `add` while the routing's parameters are at their initial values. strong: the
    # model's output is equal whatever the trunk's weights; weak: only while all sublayers are
    # gated shut.
    equals_add: ClassVar[Literal["strong", "weak", "no"]] = "no"
    # The parts of `cond` that reads depend on: "time", "label", or none.
    conditioned_on: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, sites: int, width: int):
        super().__init__()
        self.sites = sites
        self.width = width
        self.lr_mult = 1.0

    def __init_subclass__(cls, **kwargs: Any):
        """Derive `read` from `take`, or `take` from `read`, where a class defines one of the two.

        Otherwise it would inherit the other, which would still do what the base does.
        """
        super().__init_subclass__(**kwargs)
        reads, takes = (_depth(cls, verb) for verb in ("read", "take"))
        if takes < reads:
            cls.read = _first_half(cls.take)
        elif reads < takes:
            cls.take = Routing.take

    @abstractmethod
    def begin(self, x: Tensor, cond: Cond) -> State:
        """Return the state after the embedding x = v_0 (B, T, D)."""

    @abstractmethod
    def read(self, state: State, site: int) -> Tensor:
        """Return h (B, T, D) for this site; `read(state, sites)` is what the head sees."""

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        """Return `read(state, site)`, and the state to which this site's sublayer writes."""
        return self.read(state, site), state

    @abstractmethod
    def write(self, state: State, site: int, v: Tensor) -> State:
        """Return the state after the sublayer of this site handed over v (B, T, D)."""

    def sources(self, site: int) -> set[int]:
        """Return the indices i of the v_i that `read(state, site)` depends on: by default all."""
        return set(range(site + 1))

    def elementwise_flops(self, tokens: int) -> int:
        """Return the forward FLOPs per sample without matrix products, 2 per multiply-add.

        Matrix products are counted by torch's FlopCounterMode, which counts nothing else.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say its elementwise_flops")

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return optimiser groups: `params`, `lr_mult`, `weight_decay` (None: the recipe's)."""
        return [{"params": list(self.parameters()), "lr_mult": self.lr_mult, "weight_decay": None}]


def _depth(cls: type, verb: str) -> int:
    """The number of classes between `cls` and the one that defines the verb."""
    return next(i for i, base in enumerate(cls.__mro__) if verb in vars(base))


def _first_half(take: Callable[..., tuple[Tensor, State]]) -> Callable[..., Tensor]:
    def read(self: Routing, state: State, site: int) -> Tensor:
        return take(self, state, site)[0]

    return read
