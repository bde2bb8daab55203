"""The variants of a search space: a routing each, and what it changes, to values or in domains."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.records.settings import Model, Training
from darbench.records.trial import Trial, Variant
from darbench.registry import Signature
from darbench.search.domains import Choices, Domain, Range, ends, read_domain
from darbench.search.ground import PARTS, Ground, changeable, named
from darbench.search.match import Match, read_match

ENTRY_KEYS = ("routing", "params", *PARTS, "label", "control", "match")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A point of the space: all that makes a trial but the seed."""

    ground: Ground  # which it stands on; its own backbone and recipe may differ
    variant: Variant
    model: Model
    training: Training
    code_hash: str
    point: Mapping[str, Any] = field(default_factory=dict)  # the chosen values, by domain name
    control: str | None = None  # what is said of a control; None for a variant

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
    control: bool = False
    match: Match | None = None
    matched: "VariantSpec | None" = None  # the one that `match` names

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
        made = Configuration(
            ground=ground,
            variant=Variant(
                routing=self.signature.name, params=self.signature.resolve(params), label=label
            ),
            model=changed.model,
            training=changed.training,
            code_hash=self.signature.code_hash,
            point={"variant": self.name, **{f"{self.name}/{k}": v for k, v in chosen.items()}},
            control="" if self.control else None,
        )
        if self.matched is not None:
            return self._widened(made)
        if self.control and self.signature.name == "add" and changed == ground:
            raise BadInput("control: this is the `add` that controls are compared with")
        return made

    def _widened(self, made: Configuration) -> Configuration:
        """Return `add` at the cost of the variant that it is matched to."""
        other = self.matched.configuration(made.ground, {})
        trials = (each.trial(0, "confirm") for each in (made, other))
        hidden, said = self.match.widened(*trials)
        return replace(made, model=replace(made.model, mlp_hidden=hidden), control=said)

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
        match = read_match(given.get("match"), name)
        if match and "model.mlp_hidden" in read:
            raise BadInput("match: it sets model.mlp_hidden; leave that out")
        label = _text(given.get("label")) or (f"add with the {match.words}" if match else "")
        control = _truth(given.get("control"))
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    domains = {key: each for key, each in read.items() if isinstance(each, (Choices, Range))}
    fixed = {key: value for key, value in read.items() if key not in domains}
    return VariantSpec(
        signature=signatures[name],
        fixed=fixed,
        domains=domains,
        label=label,
        control=control or match is not None,
        match=match,
    )


def linked(entries: Iterable[VariantSpec]) -> tuple[VariantSpec, ...]:
    """Return the entries, each with the one that its `match` names."""
    entries = tuple(entries)
    names = {entry.name: entry for entry in entries}
    return tuple(
        replace(entry, matched=_matched(f"variants[{i}]", entry, names)) if entry.match else entry
        for i, entry in enumerate(entries)
    )


def _matched(where: str, entry: VariantSpec, names: Mapping[str, VariantSpec]) -> VariantSpec:
    label = entry.match.label
    if label not in names:
        raise BadInput(f"{where}: match: {unknown('variant', label, names)}")
    if names[label].match:
        raise BadInput(f"{where}: match: '{label}' is matched itself; name a variant that is not")
    if names[label].domains:
        raise BadInput(
            f"{where}: match: '{label}' stands for several configurations, by "
            f"{', '.join(names[label].domains)}; name a variant of fixed values"
        )
    return names[label]


def _changes(entry: Mapping, signature: Signature) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value or domain of everything that an entry says."""
    for key, value in _mapping("params", entry).items():
        yield key, read_domain(signature.parameter(key), value)
    for part in PARTS:
        for key, value in _mapping(part, entry).items():
            yield f"{part}.{key}", read_domain(changeable(f"{part}.{key}"), value)


def _truth(control: Any) -> bool:
    if control not in (None, True, False):
        raise BadInput(f"control: must be true or false, got {control!r}")
    return bool(control)


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
