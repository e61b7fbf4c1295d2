"""Responses are decoded whatever charset they declare, and parsed as JSON."""

from __future__ import annotations

import json

import httpx2
import pytest

from planso_connector.planso.http.decoding import NotJson, decode_response, parse_json

UMLAUTS = '{"a": "Müller – 5 €"}'


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (UMLAUTS.encode(), "application/json"),
        (UMLAUTS.encode(), "application/json; charset=utf-8"),
        (b"\xef\xbb\xbf" + UMLAUTS.encode(), "text/html"),
        (UMLAUTS.encode("cp1252"), "application/json"),
        (UMLAUTS.encode("cp1252"), "text/html; charset=ISO-8859-1"),
        (UMLAUTS.encode("cp1252"), "text/html; charset=utf-8"),
        (UMLAUTS.encode("cp1252"), 'text/html; charset="klingon"'),
        (UMLAUTS.encode("utf-16"), "text/html; charset=utf-16"),
    ],
)
def test_umlauts_are_decoded_whatever_the_charset(content: bytes, content_type: str) -> None:
    """Declared, undeclared, wrongly declared, with a byte order mark."""
    response = httpx2.Response(200, content=content, headers={"Content-Type": content_type})

    assert parse_json(response) == json.loads(UMLAUTS)


def test_bytes_that_windows_1252_has_no_letter_for_are_kept() -> None:
    """No answer is lost for one odd byte."""
    assert decode_response(httpx2.Response(200, content=b"\x81\xe4\x80")) == "\x81ä€"


@pytest.mark.parametrize("content", [b"", b"<html>", b"{", b"[" * 100_000, b"9" * 5000])
def test_invalid_json_is_refused(content: bytes) -> None:
    """Every kind of invalid content raises NotJson."""
    with pytest.raises(NotJson):
        parse_json(httpx2.Response(200, content=content))
