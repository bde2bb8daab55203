"""No false alarm: every built-in routing, in every setting, passes every check."""

import pytest

from darbench.testing import CHECKS, check_routing
from tests.make.models import SETTINGS, name_of

CAPTURED = [
    ("add", {}),
    ("dar", {"query": "static_t"}),
    ("hyper", {"dynamic": True, "streams": 4}),
]
QUICK = [check.name for check in CHECKS if check.name != "one_graph"]


def failures(setting, only):
    return {r.name: r.message for r in check_routing(*setting, only=only) if not r.passed}


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_every_setting_passes(setting):
    assert failures(setting, QUICK) == {}


@pytest.mark.parametrize(
    "setting",
    [s if s in CAPTURED else pytest.param(s, marks=pytest.mark.slow) for s in SETTINGS],
    ids=name_of,
)
def test_every_setting_is_one_graph(setting):
    assert failures(setting, ["one_graph"]) == {}
