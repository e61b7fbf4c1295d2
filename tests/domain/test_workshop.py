"""Which names a workshop may have: the first label of a host name."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.workshop import MAX_NAME_LENGTH, check_name

LETTERS_AND_DIGITS = string.ascii_lowercase + string.digits
INNER = st.text(LETTERS_AND_DIGITS + "-", max_size=MAX_NAME_LENGTH - 2)
OUTER = st.sampled_from(LETTERS_AND_DIGITS)
ANY = st.text(max_size=70) | st.text(LETTERS_AND_DIGITS + "-_.A ", max_size=70)


@given(OUTER, INNER, OUTER)
def test_labels_are_names(first: str, inner: str, last: str) -> None:
    """One letter or digit, or two with letters, digits and hyphens between, up to 63 in all, are a name."""
    assert check_name(first) == first
    assert check_name(first + inner + last) == first + inner + last


@given(ANY)
def test_a_name_is_a_label_or_refused(text: str) -> None:
    """Whatever is accepted is a label of RFC 1123 in lower case; for all else the message says what is accepted."""
    is_label = 1 <= len(text) <= 63 and set(text) <= set(LETTERS_AND_DIGITS + "-") and not re.search(r"\A-|-\Z", text)
    if is_label:
        assert check_name(text) == text
    else:
        with pytest.raises(ValueError, match="accepted: 1 to 63"):
            check_name(text)
