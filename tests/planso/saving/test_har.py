"""Recordings of all browsers are read, entry by entry; what can't be used is said in a sentence."""

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
from tests.planso.saving.test_learned import learned

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(texts=st.lists(TEXT, min_size=1, max_size=4), ascii_only=st.booleans(), bom=st.booleans())
def test_texts_arrive_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ascii_only: bool, bom: bool
) -> None:
    """Any text, escaped or not, with a byte order mark or without, pretty or in one line."""
    file = tmp_path_factory.getbasetemp() / "any.har"
    log = {"log": {"entries": [hars.entry("POST", "/do", "x", body=text) for text in texts]}}
    encoded = json.dumps(log, ensure_ascii=ascii_only, indent=2 if bom else None).encode()
    file.write_bytes((b"\xef\xbb\xbf" if bom else b"") + encoded)

    assert [entry.body for entry in read_har(file)] == texts


@pytest.mark.parametrize("shift", range(3))
def test_an_escape_may_fall_between_two_reads(tmp_path: Path, shift: int) -> None:
    """A long text of nothing but escapes, wherever the file is cut into pieces."""
    text = "x" * shift + '"\\\n' * 200_000
    [entry] = read_har(hars.har(tmp_path / "a.har", hars.entry("POST", "/do", body=text)))

    assert entry.body == text


def test_a_large_text_is_left_out_and_not_held(tmp_path: Path) -> None:
    """An answer of 40 MB takes no more memory than a small one; the entries around it are read."""
    file = tmp_path / "large.har"
    first, large, last = (json.dumps(hars.entry("GET", f"/do?m={m}", "LARGE")) for m in "abc")
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


def multipart(pairs: list[tuple[str, str]], boundary: str) -> str:
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
    )
    return f"{parts}--{boundary}--\r\n"


def chrome_params(raw: dict[str, Any]) -> None:
    """Chrome's `params` are as they were sent."""
    name, _, value = raw["request"]["postData"].pop("text").partition("=")
    raw["request"]["postData"]["params"] = [{"name": name, "value": value}]


def firefox_headers(raw: dict[str, Any]) -> None:
    posted = raw["request"]["postData"]
    posted["text"] = f"Content-Type: {posted['mimeType']}\r\nContent-Length: 99\r\n\r\n{posted['text']}"


def base64_body(raw: dict[str, Any]) -> None:
    posted = raw["request"]["postData"]
    posted |= {"text": base64.b64encode(posted["text"].encode()).decode(), "encoding": "base64"}


@pytest.mark.parametrize("spelling", [chrome_params, firefox_headers, base64_body])
def test_each_browser_s_spelling_of_a_body_is_read(tmp_path: Path, spelling: Any) -> None:
    """`params` without text, headers before the body, base64: the same is learned."""
    plain = hars.har(tmp_path / "plain.har", hars.login(), hars.form(), hars.save(f_4="a b\r\nc & d"))
    saved = hars.save(f_4="a b\r\nc & d")
    spelling(saved)
    spelled = hars.har(tmp_path / "spelled.har", hars.login(), hars.form(), saved)

    assert learned(spelled).to_toml() == learned(plain).to_toml()


def test_multipart_is_read_without_its_boundary_in_the_head(tmp_path: Path) -> None:
    """Some exports shorten the content type."""
    body = multipart(hars.pairs(f_4="a\r\nb"), "----geckoformboundary1")
    saved = hars.entry("POST", hars.CALL.format("update", 4711), {"ok": 1}, body=body, kind="multipart/form-data")
    lesson = learned(hars.har(tmp_path / "a.har", hars.login(), hars.form(), saved))

    assert "multipart" in [fact.value for fact in lesson.settings]
    assert [d.name for d in lesson.comparisons[0].differences] == ["f_4"]


def without_bodies(raw: dict[str, Any]) -> dict[str, Any]:
    del raw["response"]["content"]["text"]
    return raw


UNUSABLE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "another site": (
        [hars.entry("GET", "https://shop.example/a", "<p>"), hars.entry("POST", "https://shop.example/b", "{}")],
        "no request to a PlanSo",
    ),
    "without an order": ([hars.login(), hars.board(4711)], "holds no form of an order"),
    "without a save": ([hars.login(), hars.board(4711), hars.form()], "holds no save"),
    "without contents": ([hars.login(), without_bodies(hars.form()), hars.save()], "without the contents"),
    "refused": ([hars.login(), hars.form(), hars.save(answer={"error": "gesperrt"})], "refused the save"),
    "a session that ended": (
        [hars.login(), hars.form(), {**hars.save(), "response": hars.entry("GET", "/", status=500)["response"]}],
        "refused the save",
    ),
    "nothing": ([], "holds no requests"),
}


@pytest.mark.parametrize(("entries", "told"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_can_t_be_learned_from_is_said(tmp_path: Path, entries: list[dict[str, Any]], told: str) -> None:
    """One sentence with the file, and what to do; no profile is written."""
    file = hars.har(tmp_path / "planso.har", *entries)
    with pytest.raises(RecordingError, match=told) as error:
        require_accepted_writes(read_recording(file, Profile.load()), file)

    assert str(file) in str(error.value)
    assert "gesperrt" not in str(error.value)


BROKEN = {
    "cut off": (lambda whole: whole[:-40], "is cut off after entry 2"),
    "in the middle": (lambda whole: whole[: len(whole) // 3], "is cut off"),
    "garbage within": (lambda whole: whole.replace(b'"time": 12.5', b'"time": oops', 2), "is damaged|is cut off"),
    "no JSON": (lambda _: b"<html><body>Network</body></html>", "is no network log"),
    "empty": (lambda _: b"", "is no network log"),
    "another JSON": (lambda _: b'{"orders": [1, 2]}', "is no network log"),
    "too deep": (lambda _: b'{"log": {"entries": ' + b"[" * 300_000, "nested too deeply"),
}


@pytest.mark.parametrize(("spoil", "told"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_recording_is_said(tmp_path: Path, spoil: Any, told: str) -> None:
    """Cut off, damaged, or something else."""
    file = hars.har(tmp_path / "planso.har", hars.login(), hars.form(), hars.save())
    file.write_bytes(spoil(file.read_bytes()))

    with pytest.raises(RecordingError, match=told):
        read_recording(file, Profile.load())


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Over 256 MB."""
    file = tmp_path / "huge.har"
    with file.open("wb") as out:
        out.truncate(MAX_FILE_BYTES + 1)

    with pytest.raises(RecordingError, match="larger than 256 MB"):
        next(read_har(file))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes profile and copy, overwrites nothing unasked, tells a recording of another site, and shows no value."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANSO_URL", "https://reit.planso.de")
    recording = hars.har(tmp_path / "planso.har", hars.login(), hars.board(4711), hars.form(), hars.save())
    run = CliRunner().invoke

    done = run(cli, ["learn", str(recording), "--redacted", "copy.har"])
    assert done.exit_code == 0, done.output
    assert Profile.load(tmp_path / "planso-profile.toml").save.source == "learned"
    written = (tmp_path / "planso-profile.toml").read_text("utf-8")
    for text in (written, done.output, (tmp_path / "copy.har").read_text("utf-8")):
        assert not [value for value in (*hars.HELD.values(), "Neu", "geheim", "roehrich", "4711") if value in text]
    assert "Fahrername" in done.output

    again = run(cli, ["learn", str(recording)])
    assert (again.exit_code, "exists already" in again.output) == (2, True)
    assert run(cli, ["learn", str(recording), "--force", "--redacted", "second.har"]).exit_code == 0
    assert run(cli, ["learn", "copy.har", "--out", "from-copy.toml"]).exit_code == 0

    monkeypatch.setenv("PLANSO_URL", "https://other.planso.de")
    other = run(cli, ["learn", str(recording), "--out", "other.toml"])
    assert other.exit_code == 1
    assert "is a recording of reit.planso.de, not of other.planso.de" in " ".join(other.output.split())
    assert not (tmp_path / "other.toml").exists()
