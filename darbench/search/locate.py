"""Where in a search space the configuration of a row lies."""

import json
from collections.abc import Mapping
from typing import Any

from darbench.records.setting import identity_defaults
from darbench.search.ground import PARTS
from darbench.search.proposer import Row
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration


def locate(space: SearchSpace, row: Row) -> Configuration | None:
    """Return the row's configuration with its point of the space; None if there is none."""
    found = _said(row)
    for entry in space.entries:
        if entry.signature.name != row["routing"]:
            continue
        chosen = {key: found.get(key) for key in entry.domains}
        if not all(chosen[key] in domain for key, domain in entry.domains.items()):
            continue
        configuration = entry.configuration(space.ground, chosen)
        if configuration.trial(0, "search").config_hash == row["config_hash"]:
            return configuration
    return None


def _said(row: Row) -> Mapping[str, Any]:
    """All that an entry could have chosen of a row's configuration, by name."""
    config = json.loads(row["config_json"])
    found = json.loads(row["params_json"])
    for part, cls in PARTS.items():
        values = identity_defaults(cls) | config[part]
        found |= {f"{part}.{name}": value for name, value in values.items()}
    return found
