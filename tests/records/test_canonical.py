import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darbench.records.canonical import canonical_json, content_hash

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_equal_values_have_equal_text_whatever_their_order(value):
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)
    assert content_hash(backwards) == content_hash(value)
    assert canonical_json(value).isascii()


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": math.nan})
