"""Recordings of all browsers are read; for one that can't be used there is an error with a sentence."""

from __future__ import annotations

import base64
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from planso_connector.cli import cli
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.har import MAX_FILE_BYTES, RecordingError, read_har
from planso_connector.planso.saving.recording import read_recording, require_accepted_writes
from tests.planso.saving import hars

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(texts=st.lists(TEXT, min_size=1, max_size=4), ascii_only=st.booleans(), bom=st.booleans())
def test_texts_are_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ascii_only: bool, bom: bool
) -> None:
    """Any text is read exactly: escaped or not, with or without a byte order mark, indented or in one line."""
    file = tmp_path_factory.getbasetemp() / "any.har"
    log = {"log": {"entries": [hars.build_entry("POST", "/do", "x", body=text) for text in texts]}}
    encoded = json.dumps(log, ensure_ascii=ascii_only, indent=2 if bom else None).encode()
    file.write_bytes((b"\xef\xbb\xbf" if bom else b"") + encoded)

    assert [entry.body for entry in read_har(file)] == texts


@pytest.mark.parametrize("shift", range(3))
def test_a_text_of_escapes_is_read_exactly(tmp_path: Path, shift: int) -> None:
    """A long text of nothing but escapes is read exactly, at any offset in the file."""
    text = "x" * shift + '"\\\n' * 200_000
    [entry] = read_har(hars.write_har(tmp_path / "a.har", hars.build_entry("POST", "/do", body=text)))

    assert entry.body == text


def test_a_large_text_is_omitted_with_bounded_memory(tmp_path: Path) -> None:
    """A response of 40 MB takes no more memory than a small one; the entries around it are read."""
    file = tmp_path / "large.har"
    first, large, last = (json.dumps(hars.build_entry("GET", f"/do?m={m}", "LARGE")) for m in "abc")
    with file.open("w") as out:
        out.write('{"log": {"entries": [' + first + ",")
        before, _, after = large.partition("LARGE")
        out.write(before)
        for _ in range(40):
            out.write("<p>" * 350_000)
        out.write(f"{after},{last}]}}}}")
    tracemalloc.start()
    entries = list(read_har(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [(entry.query[0][1], entry.text) for entry in entries] == [("a", "LARGE"), ("b", None), ("c", "LARGE")]
    assert peak < 16_000_000


def build_multipart(pairs: list[tuple[str, str]], boundary: str) -> str:
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
    )
    return f"{parts}--{boundary}--\r\n"


def move_to_params(raw: dict[str, Any]) -> None:
    """As Chrome exports a body: in `params`, encoded as they were sent."""
    name, _, value = raw["request"]["postData"].pop("text").partition("=")
    raw["request"]["postData"]["params"] = [{"name": name, "value": value}]


def prepend_headers(raw: dict[str, Any]) -> None:
    """As Firefox exports a body: after the headers of the upload stream."""
    posted = raw["request"]["postData"]
    posted["text"] = f"Content-Type: {posted['mimeType']}\r\nContent-Length: 99\r\n\r\n{posted['text']}"


def encode_base64(raw: dict[str, Any]) -> None:
    posted = raw["request"]["postData"]
    posted |= {"text": base64.b64encode(posted["text"].encode()).decode(), "encoding": "base64"}


@pytest.mark.parametrize("export", [move_to_params, prepend_headers, encode_base64])
def test_each_browser_s_form_of_a_body_is_read(tmp_path: Path, export: Any) -> None:
    """The same is learned from `params` without text, from headers before the body, and from base64."""
    plain = hars.write_har(
        tmp_path / "plain.har", hars.build_login(), hars.build_form(), hars.build_save(f_4="a b\r\nc & d")
    )
    saved = hars.build_save(f_4="a b\r\nc & d")
    export(saved)
    exported = hars.write_har(tmp_path / "spelled.har", hars.build_login(), hars.build_form(), saved)

    assert hars.learn(exported).to_toml() == hars.learn(plain).to_toml()


def test_multipart_is_read_without_a_declared_boundary(tmp_path: Path) -> None:
    """The boundary is taken from the body where the export shortened the content type."""
    body = build_multipart(hars.build_pairs(f_4="a\r\nb"), "----geckoformboundary1")
    saved = hars.build_entry("POST", hars.CALL.format("update", 4711), {"ok": 1}, body=body, kind="multipart/form-data")
    learned = hars.learn(hars.write_har(tmp_path / "a.har", hars.build_login(), hars.build_form(), saved))

    assert "multipart" in [setting.value for setting in learned.settings]
    assert [d.name for d in learned.comparisons[0].differences] == ["f_4"]


def remove_text(raw: dict[str, Any]) -> dict[str, Any]:
    del raw["response"]["content"]["text"]
    return raw


UNUSABLE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "another site": (
        [
            hars.build_entry("GET", "https://shop.example/a", "<p>"),
            hars.build_entry("POST", "https://shop.example/b", "{}"),
        ],
        "no request to a PlanSo",
    ),
    "without an order": ([hars.build_login(), hars.build_board(4711)], "holds no form of an order"),
    "without a save": ([hars.build_login(), hars.build_board(4711), hars.build_form()], "holds no save"),
    "without contents": (
        [hars.build_login(), remove_text(hars.build_form()), hars.build_save()],
        "without the contents",
    ),
    "refused": (
        [hars.build_login(), hars.build_form(), hars.build_save(answer={"error": "gesperrt"})],
        "refused the save",
    ),
    "a session that ended": (
        [
            hars.build_login(),
            hars.build_form(),
            {**hars.build_save(), "response": hars.build_entry("GET", "/", status=500)["response"]},
        ],
        "refused the save",
    ),
    "nothing": ([], "holds no requests"),
}


@pytest.mark.parametrize(("entries", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_recording_is_an_error_with_advice(
    tmp_path: Path, entries: list[dict[str, Any]], message: str
) -> None:
    """The error names the file and what to do, and quotes nothing of the recording."""
    file = hars.write_har(tmp_path / "planso.har", *entries)
    with pytest.raises(RecordingError, match=message) as error:
        require_accepted_writes(read_recording(file, Profile.load()), file)

    assert str(file) in str(error.value)
    assert "gesperrt" not in str(error.value)


BROKEN = {
    "cut off": (lambda whole: whole[:-40], "is cut off after entry 2"),
    "in the middle": (lambda whole: whole[: len(whole) // 3], "is cut off"),
    "garbage within": (lambda whole: whole.replace(b'"time": 12.5', b'"time": oops', 2), "is damaged|is cut off"),
    "garbage in a large file": (
        lambda whole: whole.replace(b'"time": 12.5', b'"time": oops, "more": [' + b'"x",' * 200_000 + b"1]", 2),
        "is damaged after entry 0",
    ),
    "no JSON": (lambda _: b"<html><body>Network</body></html>", "is no network log"),
    "empty": (lambda _: b"", "is no network log"),
    "another JSON": (lambda _: b'{"orders": [1, 2]}', "is no network log"),
    "too deep": (lambda _: b'{"log": {"entries": ' + b"[" * 300_000, "nested too deeply"),
}


@pytest.mark.parametrize(("damage", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_an_error(tmp_path: Path, damage: Any, message: str) -> None:
    """The error tells whether the file is cut off, damaged or something else."""
    file = hars.write_har(tmp_path / "planso.har", hars.build_login(), hars.build_form(), hars.build_save())
    file.write_bytes(damage(file.read_bytes()))

    with pytest.raises(RecordingError, match=message):
        read_recording(file, Profile.load())


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A file over 256 MB is refused before reading it."""
    file = tmp_path / "huge.har"
    with file.open("wb") as out:
        out.truncate(MAX_FILE_BYTES + 1)

    with pytest.raises(RecordingError, match="larger than 256 MB"):
        next(read_har(file))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`learn` writes the profile and the copy, overwrites nothing unless forced, and prints no value."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANSO_URL", "https://reit.planso.de")
    recording = hars.write_har(
        tmp_path / "planso.har", hars.build_login(), hars.build_board(4711), hars.build_form(), hars.build_save()
    )
    run = CliRunner().invoke

    done = run(cli, ["learn", str(recording), "--redacted", "copy.har"])
    assert done.exit_code == 0, done.output
    assert Profile.load(tmp_path / "planso-profile.toml").save.source == "learned"
    written = (tmp_path / "planso-profile.toml").read_text("utf-8")
    for text in (written, done.output, (tmp_path / "copy.har").read_text("utf-8")):
        assert not [value for value in (*hars.HELD.values(), "Neu", "geheim", "roehrich", "4711") if value in text]
    assert "Fahrername" in done.output

    again = run(cli, ["learn", str(recording)])
    assert (again.exit_code, "exists already" in " ".join(again.output.split())) == (2, True)
    assert run(cli, ["learn", str(recording), "--force", "--redacted", "second.har"]).exit_code == 0
    assert run(cli, ["learn", "copy.har", "--out", "from-copy.toml"]).exit_code == 0

    monkeypatch.setenv("PLANSO_URL", "https://other.planso.de")
    other = run(cli, ["learn", str(recording), "--out", "other.toml"])
    assert other.exit_code == 1
    assert "is a recording of reit.planso.de, not of other.planso.de" in " ".join(other.output.split())
    assert not (tmp_path / "other.toml").exists()
