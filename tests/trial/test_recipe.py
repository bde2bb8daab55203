import pytest

from darbench.flow.path import PATHS
from darbench.flow.repa import RepaObjective
from darbench.flow.transport import DEFAULT, PREDICTIONS, WEIGHTINGS, Objective
from darbench.records.settings import Repa, Training
from darbench.trial.recipe import make_objective, make_transport
from tests.make.models import sit


def test_the_default_recipe_is_the_velocity_on_the_linear_path():
    assert make_transport(Training()) == DEFAULT
    assert type(make_objective(Training(), sit(), seed=0)) is Objective


def test_a_recipe_names_path_prediction_and_weighting():
    for objective in ("velocity", "noise", "score", "data"):
        for path in PATHS:
            transport = make_transport(Training(objective=objective, path=path))
            assert (transport.path, transport.prediction) == (PATHS[path], PREDICTIONS[objective])
    weighted = make_transport(Training(objective="score", weighting="likelihood"))
    assert weighted.weight is WEIGHTINGS["likelihood"]


def test_repa_is_the_velocity_with_an_alignment_as_set():
    settings = Repa(layer=3, coefficient=0.25, hidden=40, norm=True, encoder="digits-cnn")
    training = Training(objective="repa", repa=settings, path="GVP")
    objective = make_objective(training, sit(channels=1), seed=0)
    assert isinstance(objective, RepaObjective)
    assert objective.transport == make_transport(Training(path="GVP"))
    assert (objective.layer, objective.coefficient) == (3, 0.25)
    assert [p.shape[0] for p in objective.projector.parameters()] == [40, 40, 40, 40, 64, 64]


def test_a_layer_beyond_the_model_is_refused():
    training = Training(objective="repa", repa=Repa(layer=5, encoder="digits-cnn"))
    with pytest.raises(
        ValueError, match=r"^training.repa.layer=5: must be between 1 and the depth, 4"
    ):
        make_objective(training, sit(channels=1), seed=0)
