import tempfile
from importlib import import_module
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A temporary folder of these sweeps, short for the sake of Ray's sockets."""
    tmp_path_factory.getbasetemp()  # pytest's own stays where it is
    import_module("darbench.search.driver")  # with torchvision, which makes a folder there
    with (
        tempfile.TemporaryDirectory(prefix="d", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
