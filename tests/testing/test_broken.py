"""Each of many mistakes is caught by the check meant for it, which names it."""

import pytest

from darbench.testing import CHECKS, check_routing
from tests.testing.broken import BROKEN
from tests.testing.healthy import Attentive, Scaled
from tests.testing.matrix import matrix


@pytest.mark.parametrize("cls", BROKEN, ids=lambda cls: cls.__name__)
def test_a_mistake_is_caught_by_the_check_meant_for_it_which_names_it_and_a_remedy(cls):
    (result,) = check_routing(cls, only=[cls.caught_by])
    assert not result.passed
    assert cls.says in result.message
    assert "\nTo mend: " in result.message


def test_every_check_has_a_mistake_that_it_is_meant_for():
    assert {cls.caught_by for cls in BROKEN} == {check.name for check in CHECKS}
    assert len({cls.__doc__ for cls in BROKEN}) == len(BROKEN) >= 20


@pytest.mark.parametrize("cls", [Attentive, Scaled])
def test_without_their_mistake_they_pass_everything(cls):
    assert [r.message for r in check_routing(cls) if not r.passed] == []


@pytest.mark.slow
def test_the_matrix_of_all_checks_on_all_mistakes():
    assert [name for name, meant, found in matrix() if meant not in found] == []
