"""The documentation is complete, its links work, and its examples are accepted."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from planso_connector.planso.profile import Profile
from planso_connector.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def test_every_setting_is_documented() -> None:
    """docs/settings.md names every setting."""
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in page] == []


def test_make_lists_its_targets() -> None:
    """`make` without a target lists every target that the Makefile declares."""
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert declared is not None
    assert [target for target in declared[1].split() if f"make {target}" not in listed] == []


def test_links_in_the_docs_work() -> None:
    """Every relative link of a page names an existing file."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_contributing_map_names_files_that_exist() -> None:
    """Every path in the table "Where to change what" is a file or folder of the package."""
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## Where to change what")[1].split("## Rules")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for path in re.findall(r"`([a-z_/]+(?:\.\w+|/))`", "\n".join(row.split("|")[2] for row in rows)):
        assert (ROOT / "src/planso_connector" / path).exists(), path


def test_every_page_is_in_the_index() -> None:
    """docs/README.md links every page of docs, decisions/README.md every decision."""
    for folder in (ROOT / "docs", ROOT / "docs/decisions"):
        index = (folder / "README.md").read_text("utf-8")
        pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
        assert {page for page in pages if f"({page})" not in index} == set()


def test_long_pages_have_contents() -> None:
    """A page of docs over 150 lines begins with a list of its sections."""
    for page in (ROOT / "docs").rglob("*.md"):
        text = page.read_text("utf-8")
        if len(text.splitlines()) > 150 and text.count("\n## ") > 1:
            assert re.search(r"^- \[.+\]\(#.+\)$", text.split("\n## ")[0], re.MULTILINE), page.name


def test_every_fault_in_the_runbook_has_a_test() -> None:
    """Every row of the runbook's table of faults names existing tests."""
    table = (ROOT / "docs/runbook.md").read_text("utf-8").split("faults -->")[1]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| fault", "| ---"))]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(?:tests/)?([a-z_/]+)(?:::(test_\w+))?`", row.rsplit("|", 2)[1])
        assert named, row
        for file, test in named:
            path = ROOT / "tests" / f"{file}.py"
            assert path.exists(), row
            assert not test or f"def {test}(" in path.read_text("utf-8"), (file, test)


def test_the_profiles_in_the_docs_are_accepted(tmp_path: Path) -> None:
    """The examples of docs/profile.md are valid profiles."""
    example, saving = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/profile.md").read_text("utf-8"), re.DOTALL)
    profile = tmp_path / "profile.toml"
    profile.write_text(example, "utf-8")
    loaded = Profile.load(profile, None)
    assert loaded.labels["person"] == ("Kunde", "Fahrername")
    profile.write_text(saving, "utf-8")
    assert Profile.load(profile, None).save.source == "learned"
    assert tomllib.loads(example)["calls"]["tabs"]["invoice"] == loaded.calls.tabs["invoice"]
