import gzip
import hashlib
import json
from importlib import resources

import numpy as np
import pytest
from plotly.offline import get_plotlyjs_version

from darbench.pages.inert import packed, packed_numbers, plotly_js
from tests.make.pages import decoded, numbers, unpacked

VENDOR = resources.files("darbench.pages") / "vendor"


def test_a_packed_text_is_that_text_and_has_no_date():
    text = "</script>“é”" * 1000
    assert unpacked(packed(text)).decode() == text
    assert decoded(packed(text))[4:8] == bytes(4)
    assert len(packed(text)) < len(text) / 20


def test_packed_numbers_are_those_numbers_bit_for_bit():
    values = [0.1, -1e-300, None, 5e300, 1 / 3, 0.0]
    found = [None if np.isnan(v) else v for v in numbers(unpacked(packed_numbers(values)))]
    assert found == values
    assert numbers(unpacked(packed_numbers([]))).size == 0


def test_numbers_take_less_than_their_decimals():
    values = [*np.random.default_rng(0).lognormal(0.0, 0.2, 10_000)]
    assert len(packed_numbers(values)) < 0.8 * len(packed(json.dumps(values)))


@pytest.mark.parametrize("size", range(9))
def test_packed_texts_of_any_length_hold_no_markup(size):
    text = packed("".join(map(chr, range(40, 40 + size))) * 50)
    assert not set("<>&'\"") & set(text) and set(text) <= set(map(chr, range(33, 127)))


def test_plotly_js_is_the_file_whose_hash_is_written_beside_it():
    digest, name = (VENDOR / "SHA256SUMS").read_text().split()
    data = (VENDOR / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest
    assert unpacked(plotly_js()) == gzip.decompress(data)


def test_plotly_js_has_the_version_of_the_python_package_and_its_licence():
    head = unpacked(plotly_js())[:300].decode()
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}\n" in head
    assert "MIT License" in (VENDOR / "LICENSE-plotly").read_text()


def test_a_browser_reads_bytes_of_any_length(scripts):
    texts = ["".join(map(chr, range(200, 200 + size))) for size in range(12)]
    found = scripts("(all) => all.map((text) => [...bytesOf(text)])", [*map(packed, texts)])
    assert [bytes(each) for each in found] == [decoded(packed(text)) for text in texts]
