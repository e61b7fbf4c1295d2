from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.recognition.emails import EXACT, LOCAL_PART, ONE_TYPO, normalize, score_match

WORD = st.text(st.sampled_from("abdeiklmnorstuz"), min_size=4, max_size=8)
ADDRESS = st.builds("{}.{}@{}.{}".format, WORD, WORD, WORD, st.sampled_from(["de", "com", "example"]))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" Jana.Petersen@Example.DE ", "jana.petersen@example.de"),
        ("jana.müller@example.de", "jana.mueller@example.de"),
        ("mailto:jana@example.de", "jana@example.de"),
        ("Jana Petersen <jana@example.de>", "jana@example.de"),
        ("jana @ example.de", "jana@example.de"),
        ("jana@example.de; karl@example.de", "jana@example.de"),
        ("jana@googlemail.com", "jana@gmail.com"),
        ("jana@example.de.", "jana@example.de"),
        ("jana petersen", "janapetersen"),
        ("", ""),
    ],
)
def test_canonical_addresses(text: str, canonical: str) -> None:
    """Case, blanks, umlauts and text around an address don't change its canonical form."""
    assert normalize(text) == canonical


@pytest.mark.parametrize(
    ("asked", "held", "score", "reason"),
    [
        ("meyer@t-online.de", "Meyer@T-Online.de", 1.0, EXACT),
        ("meyer@tonline.de", "meyer@t-online.de", 0.9, ONE_TYPO),
        ("janapetersen@example.de", "jana.petersen@example.de", 0.9, ONE_TYPO),
        ("jana-petersen@example.de", "jana_petersen@example.de", 0.9, ONE_TYPO),
        ("meier@t-online.de", "meyer@t-online.de", 0.8, ONE_TYPO),
        ("meyer@t-onlien.de", "meyer@t-online.de", 0.8, ONE_TYPO),
        ("jana.petersen", "jana.petersen@example.de", 0.7, LOCAL_PART),
        ("jana.petersen@web.example", "jana.petersen@example.de", 0.6, LOCAL_PART),
        ("info@example.com", "info@beispiel.de", 0.0, ""),
        ("info", "info@beispiel.de", 0.0, ""),
        ("eva@example.com", "eva@beispiel.de", 0.0, ""),
        ("maier@t-online.de", "meyer@t-online.de", 0.0, ""),
        ("@example.de", "jana@example.de", 0.0, ""),
        ("", "", 0.0, ""),
        ("jana.petersen", "jana.petersen", 0.0, ""),
    ],
)
def test_how_well_an_address_fits(asked: str, held: str, score: float, reason: str) -> None:
    """Scores for: the same; without separators; a typo; the same local part, unless an office shares it."""
    assert score_match(asked, held) == (score, reason)


@given(ADDRESS, st.integers(0, 40))
def test_a_missing_letter_scores_less(address: str, at: int) -> None:
    """An address scores 1 for itself, and less with a letter missing."""
    assert score_match(address.upper(), address) == (1.0, EXACT)
    at %= len(address)
    if address[at] != "@":
        score, reason = score_match(address[:at] + address[at + 1 :], address)
        assert (score, reason) == (1.0, EXACT) or (0.8 <= score < 1 and reason == ONE_TYPO)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_accepted(asked: str, held: str) -> None:
    """Normalizing is idempotent; a score is 0 to 1, with a reason exactly where it isn't 0."""
    assert normalize(normalize(asked)) == normalize(asked)
    score, reason = score_match(asked, held)
    assert 0 <= score <= 1
    assert (reason in {EXACT, LOCAL_PART, ONE_TYPO}) == (score > 0)
