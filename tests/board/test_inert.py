import base64
import gzip
import hashlib
from importlib import resources

from plotly.offline import get_plotlyjs_version

from darbench.board.inert import packed, plotly_js

VENDOR = resources.files("darbench.board") / "vendor"


def test_a_packed_text_is_that_text_and_has_no_date():
    text = "</script>“é”" * 1000
    data = base64.b64decode(packed(text))
    assert gzip.decompress(data).decode() == text
    assert data[4:8] == bytes(4) and len(packed(text)) < len(text) / 20


def test_plotly_js_is_the_file_whose_hash_is_written_beside_it():
    digest, name = (VENDOR / "SHA256SUMS").read_text().split()
    data = (VENDOR / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest
    assert base64.b64decode(plotly_js()) == data


def test_plotly_js_has_the_version_of_the_python_package_and_its_licence():
    head = gzip.decompress(base64.b64decode(plotly_js()))[:300].decode()
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}\n" in head
    assert "MIT License" in (VENDOR / "LICENSE-plotly").read_text()
