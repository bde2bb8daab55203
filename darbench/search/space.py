"""A search space: configurations of routings, as choices and ranges of their parameters."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_type_hints

from darbench.errors import BadInput, unknown
from darbench.model import sizes
from darbench.records.metric import COMPARED
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.records.trial import Trial, Variant
from darbench.registry import Signature, parameter
from darbench.search.domains import Choices, Domain, Range, ends, read_domain

SAMPLERS = ("grid", "random", "tpe")
ENTRY_KEYS = ("routing", "params", "model", "label")
MAX_SEED = 2**63 - 1  # a seed is a column of 64-bit integers
MODEL = {
    name: parameter(f"model.{name}", getattr(Model(), name), hint)
    for name, hint in get_type_hints(Model).items()
    if name != "size"
}


Choose = Callable[[str, Domain], Any]  # takes (name, domain), returns a value of the domain


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A point of the space: all that makes a trial but the seed."""

    variant: Variant
    model: Model
    code_hash: str
    point: Mapping[str, Any] = field(default_factory=dict)  # the chosen values, by domain name


@dataclass(frozen=True, kw_only=True)
class VariantSpec:
    """One item of `variants:`: a routing, fixed parameters, and domains for the others."""

    signature: Signature
    fixed: Mapping[str, Any]
    domains: Mapping[str, Domain]
    model: Model
    label: str = ""

    @property
    def name(self) -> str:
        """The name among the choices: the label, or the routing with its fixed parameters."""
        return self.label or _label(self.signature.name, self.fixed)

    def configuration(self, chosen: Mapping[str, Any]) -> Configuration:
        params = self.signature.resolve({**self.fixed, **chosen})
        if self.label:
            label = _label(self.label, chosen)
        else:
            label = _label(self.signature.name, {**self.fixed, **chosen})
        variant = Variant(routing=self.signature.name, params=params, label=label)
        return Configuration(
            variant=variant,
            model=self.model,
            code_hash=self.signature.code_hash,
            point={"variant": self.name, **{f"{self.name}/{k}": v for k, v in chosen.items()}},
        )


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A checked search space; `darbench.search.load.load_space` makes one from YAML."""

    name: str
    task: Task
    model: Model
    training: Training
    evaluation: Evaluation
    entries: tuple[VariantSpec, ...]
    summary: str
    sampler: str
    seeds: tuple[int, ...]
    trials: int  # configurations that random and tpe draw
    confirm_top: int  # how many of the best are run again on fresh seeds
    confirm_seeds: tuple[int, ...]

    def need_pairs(self) -> None:
        """Raise BadInput for a single pair id: an interval and a variance need at least two."""
        if len(self.seeds) < 2:
            raise BadInput(
                f"seeds={list(self.seeds)}: one pair id tells nothing of noise; give two or more, "
                "such as seeds=[0,1,2,3,4]"
            )

    def grid(self) -> Iterator[Configuration]:
        """Yield every configuration once, in the order of the variants."""
        for entry in self.entries:
            values = [_values(entry, name, d) for name, d in entry.domains.items()]
            for point in itertools.product(*values):
                yield entry.configuration(dict(zip(entry.domains, point, strict=True)))

    def draw(self, choose: Choose) -> Configuration:
        """Return one configuration; only the chosen variant's parameters are drawn."""
        names = tuple(entry.name for entry in self.entries)
        name = choose("variant", Choices(values=names))
        entry = self.entries[names.index(name)]
        return entry.configuration(
            {key: choose(f"{name}/{key}", domain) for key, domain in entry.domains.items()}
        )

    def samples(self) -> Iterator[Configuration]:
        """Yield enough configurations to try every choice and both ends of every range."""
        for entry in self.entries:
            tried = {key: ends(domain) for key, domain in entry.domains.items()}
            firsts = {key: values[0] for key, values in tried.items()}
            yield entry.configuration(firsts)
            for key, values in tried.items():
                for value in values[1:]:
                    yield entry.configuration({**firsts, key: value})

    def trial(self, configuration: Configuration, pair_id: int, split: str) -> Trial:
        return Trial(
            task=self.task,
            model=configuration.model,
            training=self.training,
            evaluation=self.evaluation,
            variant=configuration.variant,
            pair_id=pair_id,
            split=split,
            code_hash=configuration.code_hash,
        )


def build_space(config: Mapping[str, Any], signatures: Mapping[str, Signature]) -> SearchSpace:
    """Make a space from values with the keys of `compose.SweepConfig`; BadInput if it fails."""
    model = sizes.resolve(Model(**config["model"]))
    entries = tuple(
        _variant(f"variants[{i}]", entry, model, signatures)
        for i, entry in enumerate(config["variants"])
    )
    space = SearchSpace(
        name=config["name"],
        summary=config["summary"],
        task=Task(**dict(config["task"], quick=tuple(config["task"]["quick"]))),
        model=model,
        training=Training.from_dict(config["training"]),
        evaluation=Evaluation.from_dict(config["evaluation"]),
        entries=entries,
        sampler=config["sampler"],
        seeds=tuple(config["seeds"]),
        trials=config["trials"],
        confirm_top=config["confirm"]["top"],
        confirm_seeds=tuple(config["confirm"]["seeds"]),
    )
    _check(space)
    return space


def _check(space: SearchSpace) -> None:
    if space.sampler not in SAMPLERS:
        raise unknown("sampler", space.sampler, SAMPLERS)
    if space.task.rank_by not in COMPARED:
        raise unknown("metric task.rank_by:", space.task.rank_by, COMPARED)
    if not space.entries:
        raise BadInput("the space has no variants; give `variants:` at least one `- routing: add`")
    for key, seeds in (("seeds", space.seeds), ("confirm.seeds", space.confirm_seeds)):
        if not seeds or len(set(seeds)) < len(seeds):
            raise BadInput(f"{key}={list(seeds)}: must be distinct, at least one")
        if min(seeds) < 0 or max(seeds) > MAX_SEED:
            raise BadInput(f"{key}={list(seeds)}: must be between 0 and {MAX_SEED}")
    names = [entry.name for entry in space.entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"variants: '{twice[0]}' stands there twice; give them different labels")
    if space.sampler != "grid":
        if space.trials < 1 or space.confirm_top < 0:
            raise BadInput(f"trials={space.trials}: must be at least 1; confirm.top 0 or more")
        if set(space.seeds) & set(space.confirm_seeds):
            raise BadInput("confirm.seeds must be fresh: seeds that picked a winner never rank it")


def _variant(
    where: str, given: Any, model: Model, signatures: Mapping[str, Signature]
) -> VariantSpec:
    if not isinstance(given, Mapping) or "routing" not in given:
        raise BadInput(f"{where}: must be a mapping with `routing: NAME`, got {given!r}")
    for key in given:
        if key not in ENTRY_KEYS:
            raise BadInput(f"{where}: {unknown('key', str(key), ENTRY_KEYS)}")
    name = str(given["routing"])
    try:
        if name not in signatures:
            raise unknown("routing", name, signatures)
        signature = signatures[name]
        fixed, domains = {}, {}
        for key, value in _mapping("params", given).items():
            domain = read_domain(signature.parameter(key), value)
            if isinstance(domain, (Choices, Range)):
                domains[key] = domain
            else:
                fixed[key] = domain
        changes = _mapping("model", given)
        for key in changes:
            if key not in MODEL:
                raise unknown("model key", str(key), MODEL)
        changes = {key: MODEL[key].read(value) for key, value in changes.items()}
        label = _text(given.get("label"))
        if changes and not label:
            label = f"{_label(signature.name, fixed)} [{_assignments(changes)}]"
        return VariantSpec(
            signature=signature,
            fixed=fixed,
            domains=domains,
            label=label,
            model=sizes.resolve(replace(model, **changes)),
        )
    except ValueError as error:
        raise BadInput(f"{where}: {error}") from None


def _text(label: Any) -> str:
    if isinstance(label, bool):
        raise BadInput(f"label {str(label).lower()}: is no text; put it in quotes")
    text = "" if label is None else str(label)
    if not text.isprintable():
        raise BadInput(f"label {text!r}: must be one line of printable characters")
    return text


def _mapping(key: str, entry: Mapping) -> Mapping:
    value = {} if entry.get(key) is None else entry[key]
    if not isinstance(value, Mapping):
        raise BadInput(f"{key}: must be a mapping, got {value!r}")
    return value


def _values(spec: VariantSpec, name: str, domain: Domain) -> Sequence[Any]:
    if isinstance(domain, Choices):
        return domain.values
    if domain.step is None:
        raise BadInput(
            f"{spec.name}: a grid cannot walk the range of {name}; give it a step, list its "
            "values, or use sampler=random or tpe"
        )
    return domain.grid()


def _label(name: str, given: Mapping[str, Any]) -> str:
    """The name, followed by the given parameters in brackets."""
    return name + (f" ({_assignments(given)})" if given else "")


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
