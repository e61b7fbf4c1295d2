"""Settings from files and systemd credentials, and the errors for files that can't be used."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from planso_connector.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder without a `.env`."""
    monkeypatch.chdir(tmp_path)


def write_secret(folder: Path, content: bytes, name: str = "secret", mode: int = 0o600) -> Path:
    file = folder / name
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("content", [b"ge#heim \xc3\xbc", b"ge#heim \xc3\xbc\n", b"ge#heim \xc3\xbc\r\n"])
def test_any_setting_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """NAME_FILE, in the environment or `.env`, names a file with the value; one newline at its end is removed."""
    monkeypatch.setenv("PLANSO_PASSWORD_FILE", str(write_secret(tmp_path, content)))
    database = write_secret(tmp_path, b"postgresql://a:b@localhost/c\n", "database")
    (tmp_path / ".env").write_text(
        f"CONNECTOR_DATABASE_URL_FILE={database}\nCONNECTOR_PORT_FILE={write_secret(tmp_path, b'81', 'p')}\n"
    )
    settings = Settings.load()
    assert settings.planso_password.get_secret_value() == "ge#heim ü"
    assert settings.connector_database_url == "postgresql://a:b@localhost/c"
    assert settings.connector_port == 81


def test_a_systemd_credential_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential whose name is a setting's name in lower case is the value of that setting."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    write_secret(tmp_path, b"geheim\n", "planso_password", 0o400)
    assert Settings.load().planso_password.get_secret_value() == "geheim"


def test_a_setting_given_twice_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value and a file, or a file and a credential: the error names both."""
    monkeypatch.setenv("PLANSO_PASSWORD_FILE", str(write_secret(tmp_path, b"geheim")))
    monkeypatch.setenv("PLANSO_PASSWORD", "anders")
    with pytest.raises(SettingsError, match="PLANSO_PASSWORD and PLANSO_PASSWORD_FILE: both are set"):
        Settings.load()
    monkeypatch.delenv("PLANSO_PASSWORD")
    (tmp_path / ".env").write_text("PLANSO_PASSWORD=anders\n")
    with pytest.raises(SettingsError, match="both are set"):
        Settings.load()
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    write_secret(tmp_path, b"geheim", "planso_password")
    with pytest.raises(SettingsError, match=r"PLANSO_PASSWORD_FILE and \$CREDENTIALS_DIRECTORY/planso_password"):
        Settings.load()


@pytest.mark.parametrize(
    ("file", "reason"), [("missing", "No such file"), (".", "directory"), ("binary", "UTF-8"), ("huge", "too large")]
)
def test_a_file_that_cannot_be_used_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, reason: str
) -> None:
    """Missing, a folder, not UTF-8, too large: the error names the setting, the file and the reason, and no content."""
    write_secret(tmp_path, b"geheim\xff", "binary")
    write_secret(tmp_path, b"geheim" * 20_000, "huge")
    monkeypatch.setenv("PLANSO_PASSWORD_FILE", str(tmp_path / file))
    with pytest.raises(SettingsError, match=f"PLANSO_PASSWORD_FILE: .*{reason}") as raised:
        Settings.load()
    assert "geheim" not in str(raised.value)


def test_a_wrong_value_in_a_file_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid value from a file is reported under the setting's own name."""
    monkeypatch.setenv("CONNECTOR_PORT_FILE", str(write_secret(tmp_path, b"viele")))
    with pytest.raises(SettingsError, match="CONNECTOR_PORT: "):
        Settings.load()


def test_a_world_readable_file_gets_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The value is used and a warning is logged; a file that only its owner can read gets none."""
    monkeypatch.setenv("PLANSO_USER_FILE", str(write_secret(tmp_path, b"anna", "own")))
    monkeypatch.setenv("PLANSO_PASSWORD_FILE", str(write_secret(tmp_path, b"geheim", "open", 0o644)))
    with caplog.at_level(logging.WARNING):
        assert Settings.load().planso_password.get_secret_value() == "geheim"
    (record,) = caplog.records
    assert "PLANSO_PASSWORD_FILE: every user of this machine can read" in record.getMessage()
    assert "geheim" not in caplog.text
