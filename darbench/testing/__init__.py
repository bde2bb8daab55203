"""The contract of a routing: checks that every routing must pass, built in or a user's.

From a script or a notebook:

    from darbench.testing import check_routing

    for result in check_routing(MyRouting, {"heads": 2}):
        print(result.name, result.passed, result.message)

With pytest, every check is one test:

    from darbench.testing import RoutingContract

    class TestMyRouting(RoutingContract):
        routing = MyRouting  # or a registered name
        params = {"heads": 2}

or over many:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
    @pytest.mark.parametrize("name", ["dar", "hyper"])
    def test_contract(name, check):
        (result,) = check_routing(name, only=[check.name])
        assert result.passed, result.message

From the command line: `darbench check my_routing.py`.
"""

from darbench.testing.check import Check, Result
from darbench.testing.contract import CHECKS, RoutingContract, check_routing

__all__ = ["CHECKS", "Check", "Result", "RoutingContract", "check_routing"]
