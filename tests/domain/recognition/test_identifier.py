from __future__ import annotations

import pytest

from planso_connector.domain.errors import Invalid
from planso_connector.domain.recognition.identifier import Identifier, IdentifierKind

SAME = [
    (
        IdentifierKind.PHONE,
        "030 23125-118",
        [
            "03023125118",
            "+49 (0)30/23125118",
            "0049 30 23125 118",
            "Tel. 030/23125118 (privat)",
            "030 1111111 oder 030 23125118",
            "bitte an +49 30 23125118 zurückrufen, nicht am 24.11.2026",
            "０３０ 23125118",
            "12.03.2026 030 23125118 angerufen",
            "030 23125118 14:30 Uhr",
            "am 12.03. 030 23125118 - 8.00 angerufen",
            "Auftrag 4711 030 23125118 0171 2345678",
            "PLZ 71332 +49 30 23125118 2x versucht",
            "030_23125118",
            "0 3 0 2 3 1 2 5 1 1 8",
            "12 030\u201123125118",
        ],
    ),
    (
        IdentifierKind.PLATE,
        "WN-AE 2309",
        [
            "wnae2309",
            "WN AE2309",
            "W N - A E 2 3 0 9",
            "Ersatz für WN-AE 2309 bestellt",
            "wn_ae_2309.pdf",
            "WN–AE\u00a02309, Petersen",
            "WN AE 2309 0410",
        ],
    ),
    (IdentifierKind.PLATE, "TÜ-X 77", ["tüx77", "TUE-X 77", "der TÜ X77."]),
    (
        IdentifierKind.EMAIL,
        "Jana.Müller@googlemail.com",
        [
            "jana.mueller@gmail.com",
            "Mail: JANA.MÜLLER@GMAIL.COM.",
            "Jana <jana.müller@gmail.com>, per Post",
            *(
                text.replace("X", "jana.müller@gmail.com")
                for text in (
                    "X/privat",
                    "privat/X",
                    "X|Y",
                    "*X*",
                    "„X“",
                    "X…",
                    "X!",
                    "X\u200b",
                    "mailto:X?subject=x",
                    "E=X;x",
                )
            ),
            "jana.müller @ googlemail.com",
        ],
    ),
]
OTHER = [
    (
        IdentifierKind.PHONE,
        "030 23125118",
        [
            "030 23125119",
            "0231 25118",
            "40 30 23125 118 0 9",
            "23.11.2026 09:41",
            "030 231251180",
            "0 30 231251 189",
            "",
        ],
    ),
    (IdentifierKind.PLATE, "WN-AE 2309", ["WN-AE 23090", "SWN-AE 2309", "WN-AE 230", "2309", ""]),
    (
        IdentifierKind.EMAIL,
        "jana@example.de",
        [
            "ana@example.de",
            "jana@example.de.com",
            "x.jana@example.de",
            "jana@example.dex",
            "jana@example.de-x.de",
            "jana",
            "@",
            "",
        ],
    ),
]


@pytest.mark.parametrize(("kind", "text", "notations"), SAME)
def test_every_notation_is_found(kind: IdentifierKind, text: str, notations: list[str]) -> None:
    """Each notation contains the identifier parsed from another one."""
    for asked in (text, notations[0]):
        assert [other for other in (text, *notations) if not Identifier.parse(kind, asked).occurs_in(other)] == []


@pytest.mark.parametrize(("kind", "text", "others"), OTHER)
def test_nobody_else_is_found(kind: IdentifierKind, text: str, others: list[str]) -> None:
    """Another number, plate or address, also one longer or shorter by a character, is not found."""
    assert [other for other in others if Identifier.parse(kind, text).occurs_in(other)] == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((IdentifierKind.PHONE, text) for text in ("118", "Jana", "030 23125118, 0711 234567", "")),
        *((IdentifierKind.PLATE, text) for text in ("2309", "WN", "")),
        *((IdentifierKind.EMAIL, text) for text in ("jana", "@x", "")),
    ],
)
def test_a_part_is_not_accepted(kind: IdentifierKind, text: str) -> None:
    """A part, which would find other people too, is Invalid; the message names the option and what is accepted."""
    with pytest.raises(Invalid, match=f"--{kind}: accepted"):
        Identifier.parse(kind, text)
