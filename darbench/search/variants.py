"""The variants of a search space: a routing each, and what it changes, to values or in domains."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.records.settings import Model, Training
from darbench.records.trial import Trial, Variant
from darbench.registry import Signature
from darbench.search.domains import Choices, Domain, Range, ends, read_domain
from darbench.search.ground import PARTS, Ground, changeable, named

ENTRY_KEYS = ("routing", "params", *PARTS, "label")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A point of the space: all that makes a trial but the seed."""

    ground: Ground  # which it stands on; its own backbone and recipe may differ
    variant: Variant
    model: Model
    training: Training
    code_hash: str
    point: Mapping[str, Any] = field(default_factory=dict)  # the chosen values, by domain name

    @property
    def name(self) -> str:
        """The label, and where on the axes it stands."""
        at = named(self.ground.point)
        return f"{self.variant.label} at {at}" if at else self.variant.label

    def trial(self, pair_id: int, split: str) -> Trial:
        return Trial(
            task=self.ground.task,
            model=self.model,
            training=self.training,
            evaluation=self.ground.evaluation,
            variant=self.variant,
            pair_id=pair_id,
            split=split,
            code_hash=self.code_hash,
        )


@dataclass(frozen=True, kw_only=True)
class VariantSpec:
    """One item of `variants:`: a routing, and changes by name, to fixed values or in domains.

    Parameters of the routing have their names, settings of backbone and recipe dotted ones.
    """

    signature: Signature
    fixed: Mapping[str, Any]
    domains: Mapping[str, Domain]
    label: str = ""  # the user's own

    @property
    def name(self) -> str:
        """The name among the choices: the label, or the routing with its fixed changes."""
        return self.label or _label(self.signature.name, self.fixed)

    def configuration(self, ground: Ground, chosen: Mapping[str, Any]) -> Configuration:
        """Return the variant on a ground with these values; ValueError if they break a rule."""
        values = {**self.fixed, **chosen}
        params, changes = _split(values)
        changed = ground.changed(changes)
        label = _label(self.label, chosen) if self.label else _label(self.signature.name, values)
        return Configuration(
            ground=ground,
            variant=Variant(
                routing=self.signature.name, params=self.signature.resolve(params), label=label
            ),
            model=changed.model,
            training=changed.training,
            code_hash=self.signature.code_hash,
            point={"variant": self.name, **{f"{self.name}/{k}": v for k, v in chosen.items()}},
        )

    def samples(self, ground: Ground) -> Iterator[Configuration]:
        """Yield enough configurations to try every choice and both ends of every range."""
        tried = {key: ends(domain) for key, domain in self.domains.items()}
        firsts = {key: values[0] for key, values in tried.items()}
        yield self.configuration(ground, firsts)
        for key, values in tried.items():
            for value in values[1:]:
                yield self.configuration(ground, {**firsts, key: value})


def variant(where: str, given: Any, signatures: Mapping[str, Signature]) -> VariantSpec:
    if not isinstance(given, Mapping) or "routing" not in given:
        raise BadInput(f"{where}: must be a mapping with `routing: NAME`, got {given!r}")
    for key in given:
        if key not in ENTRY_KEYS:
            raise BadInput(f"{where}: {unknown('key', str(key), ENTRY_KEYS)}")
    name = str(given["routing"])
    try:
        if name not in signatures:
            raise unknown("routing", name, signatures)
        read = dict(_changes(given, signatures[name]))
        label = _text(given.get("label"))
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    domains = {key: each for key, each in read.items() if isinstance(each, (Choices, Range))}
    fixed = {key: value for key, value in read.items() if key not in domains}
    return VariantSpec(signature=signatures[name], fixed=fixed, domains=domains, label=label)


def _changes(entry: Mapping, signature: Signature) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value or domain of everything that an entry says."""
    for key, value in _mapping("params", entry).items():
        yield key, read_domain(signature.parameter(key), value)
    for part in PARTS:
        for key, value in _mapping(part, entry).items():
            yield f"{part}.{key}", read_domain(changeable(f"{part}.{key}"), value)


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


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of the routing, and the settings of backbone and recipe."""
    changes = {key: value for key, value in values.items() if "." in key}
    return {key: value for key, value in values.items() if key not in changes}, changes


def _label(name: str, given: Mapping[str, Any]) -> str:
    """The name, then its parameters in round brackets and all other changes in square ones."""
    params, changes = _split(given)
    own = {key.partition(".")[2]: value for key, value in changes.items()}
    texts = [name, params and f"({_assignments(params)})", own and f"[{_assignments(own)}]"]
    return " ".join(filter(None, texts))


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
