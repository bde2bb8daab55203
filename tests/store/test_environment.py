import platform
from datetime import datetime

import torch

from darbench.records.schema import COLUMNS
from darbench.store.environment import environment


def test_a_row_says_on_what_it_was_measured():
    found = environment("cuda", 2, "H100", arithmetic=7)
    assert found.keys() <= COLUMNS.keys() and all(COLUMNS[name].volatile for name in found)
    assert (found["device"], found["threads"], found["hw_class"]) == ("cuda", 2, "H100")
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert found["python"] == platform.python_version() and found["arithmetic"] == 7
    assert datetime.fromisoformat(found["created_utc"]).utcoffset().total_seconds() == 0


def test_without_a_gpu_the_class_of_the_hardware_is_the_processor():
    found = environment("cpu", 1, "", arithmetic=1)
    assert found["hw_class"] == found["cpu"] != ""
