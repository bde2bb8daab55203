"""The variants of a search space: a routing each, fixed parameters, and domains for others."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_type_hints

from darbench.errors import BadInput, unknown
from darbench.model import sizes
from darbench.records.settings import Model
from darbench.records.trial import Variant
from darbench.registry import Signature, parameter
from darbench.search.domains import Choices, Domain, Range, read_domain

ENTRY_KEYS = ("routing", "params", "model", "label")
MODEL = {
    name: parameter(f"model.{name}", getattr(Model(), name), hint)
    for name, hint in get_type_hints(Model).items()
    if name != "size"
}


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


def variant(
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


def _label(name: str, given: Mapping[str, Any]) -> str:
    """The name, followed by the given parameters in brackets."""
    return name + (f" ({_assignments(given)})" if given else "")


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
