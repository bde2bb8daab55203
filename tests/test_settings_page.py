"""docs/settings.md is what docs/settings.py writes, and names every value that is a name."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from darbench import data, registry
from darbench.metrics.extractors import extractor as extractors
from darbench.model.sizes import SIZES
from darbench.records import settings
from darbench.records.metric import COMPARED
from darbench.search.load import load_space
from darbench.search.prune import PRUNERS
from darbench.search.samplers import SAMPLERS
from darbench.search.sweep_config import SweepConfig
from darbench.search.variants import ENTRY_KEYS

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
ROWS = {
    key: (default, what)
    for key, default, what in re.findall(
        r"^\| `([\w.]+)` \| `(.*?)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )
}
NAMES = {
    "prune.pruner": PRUNERS,
    "sampler": SAMPLERS,
    "variants": ENTRY_KEYS,
    # A size is said once for all: image_folder_N, and -8 behind some names.
    "task.data": {
        re.sub(r"-\d+$", "", re.sub(r"_\d+$", "_N", name)) for name in data.catalogue.names()
    },
    "task.extractor": extractors._EXTRACTORS,
    "task.rank_by": COMPARED,
    "model.size": SIZES,
    "model.skip": settings.SKIPS,
    "model.gate": settings.GATES,
    "training.objective": settings.OBJECTIVES,
    "training.path": settings.PATHS,
    "training.weighting": settings.WEIGHTINGS,
    "training.precision": settings.PRECISIONS,
    "evaluation.sampler": (*settings.ODE_SAMPLERS, *settings.SDE_SAMPLERS),
    "evaluation.sde.form": settings.DIFFUSIONS,
    "evaluation.sde.last_step": settings.LAST_STEPS,
}


def settings() -> dict:
    """Every setting by its dotted name, with its default as plain values."""
    plain = OmegaConf.to_container(OmegaConf.structured(SweepConfig))

    def walk(node, prefix=""):
        for key, value in node.items():
            if isinstance(value, dict) and value:
                yield from walk(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    return dict(walk(plain))


def test_the_page_is_made_of_the_fields():
    made = runpy.run_path(str(PAGE.with_suffix(".py")))["page"]()
    assert PAGE.read_text() == made, "run: python docs/settings.py"


def test_every_setting_is_named_with_its_default():
    assert list(ROWS) == list(settings())
    for key, value in settings().items():
        assert yaml.safe_load(ROWS[key][0]) == value, key


@pytest.mark.parametrize("key", NAMES)
def test_every_value_that_is_a_name_is_named(key):
    said = set(re.findall(r"`([\w-]+)`", ROWS[key][1]))
    assert said >= set(NAMES[key])


def test_the_line_of_variants_is_one_the_command_line_takes():
    (given,) = re.findall(r"'(variants=.*?)'", PAGE.read_text())
    found = load_space("dar_forms", [given], registry.signatures())
    assert [entry.signature.name for entry in found.entries] == ["add", "dar"]


def test_no_setting_is_named_elsewhere_that_is_none():
    for text in (PAGE, *PAGE.parent.glob("*.md"), PAGE.parents[1] / "README.md"):
        sections = r"(?:task|model|training|evaluation|confirm)"
        for key in re.findall(rf"\b({sections}\.[a-z_]+(?:\.[a-z_]+)*)(?==)", text.read_text()):
            assert key in settings(), f"{text.name}: {key}"
