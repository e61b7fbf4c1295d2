"""PostgreSQL URLs are parsed as libpq does; other URLs are refused with a reason."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import pq

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.settings import Settings
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.engine.postgresql_url import PostgresqlUrl, parse
from planso_connector.store.maintenance import migrate
from tests.databases import PostgresqlServer, Store
from tests.store import counting


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://u:p@h/d", {"user": "u", "password": "p", "host": "h", "dbname": "d"}),
        ("postgres://h", {"host": "h"}),
        ("postgresql+psycopg://u@h:5433/d", {"user": "u", "host": "h", "port": "5433", "dbname": "d"}),
        ("postgresql://u:a%40b%2Fc%25@h/d", {"user": "u", "password": "a@b/c%", "host": "h", "dbname": "d"}),
        ("postgresql://u:p#s+x@h/d", {"user": "u", "password": "p#s+x", "host": "h", "dbname": "d"}),
        ("postgresql://h1,h2:5433/d", {"host": "h1,h2", "port": ",5433", "dbname": "d"}),
        ("postgresql:///d?host=a&host=b&port=1&port=2", {"host": "a,b", "port": "1,2", "dbname": "d"}),
        ("postgresql://[::1]:5433,[fe80::2]/d", {"host": "::1,fe80::2", "port": "5433,", "dbname": "d"}),
        ("postgresql://%2Frun%2Fpostgresql/d", {"host": "/run/postgresql", "dbname": "d"}),
        ("postgresql:///d?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "d"}),
        ("postgresql://h/d?options=-csearch_path=a,b", {"host": "h", "dbname": "d", "options": "-csearch_path=a,b"}),
        ("postgresql://?service=shop", {"service": "shop"}),
    ],
)
def test_urls_are_parsed_as_libpq_does(url: str, parameters: dict[str, str]) -> None:
    """Several hosts, sockets, IPv6 and percent-encoding give libpq's parameters."""
    assert parse(url).parameters == parameters
    assert isinstance(parse_database_url(url), PostgresqlUrl)


def test_every_parameter_of_libpq_passes() -> None:
    """All parameters of the installed libpq are accepted."""
    names = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
    assert len(names) > 30
    for name in names:
        value = "5432" if name == "port" else "x"
        assert parse(f"postgresql://?{name}={value}").parameters == {name: value}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:p@ss@h/d", "%40 for @"),
        ("postgresql://h/d?prepare_threshold=0", "leave it out"),
        ("postgresql://h/d?ssl_mode=require", "is 'sslmode' meant"),
        ("postgresql://h1,h2,h3:1,h4:2/d?port=1&port=2", "4 hosts have 2 ports"),
        ("postgresql://h:99999/d", "up to 65535"),
        ("postgresql://[::1/d", "IPv6"),
        ("postgresql://u:x%00y@h/d", "%00"),
    ],
)
def test_an_unusable_url_is_reported(url: str, words: str) -> None:
    """The message says what is wrong, and what is accepted."""
    with pytest.raises(StoreUnavailable, match=words):
        parse(url)


@pytest.mark.parametrize(
    "wrong",
    [
        "connect_timeout=soon",
        "sslmode=perhaps",
        "keepalives=viele",
        "service=not-there",
        "target_session_attrs=best",
        "gssencmode=perhaps",
        "sslrootcert=/nowhere&sslmode=verify-full",
        "channel_binding=perhaps",
        "host=/nowhere",
    ],
)
def test_a_parameter_that_libpq_does_not_like_is_reported(postgresql_server: PostgresqlServer, wrong: str) -> None:
    """Reported when connecting, in libpq's words, without a traceback or the password."""
    url = f"postgresql://postgres:s3cret@127.0.0.1:1/postgres?password=s3cret2&{wrong}"
    with pytest.raises(StoreUnavailable, match=r"database URL|It says: ") as told:
        migrate.migrate(url)
    assert "s3cret" not in f"{told.value!r} {told.value.__cause__!r}"


passwords = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=20)


@settings(max_examples=30)
@given(password=passwords, encoded=st.booleans())
def test_the_password_is_never_told(password: str, encoded: bool) -> None:
    """A password with any characters, percent-encoded or not, is read, or refused without being shown."""
    password = f"PW{password}PW"
    url = f"postgresql://u:{quote(password, safe='') if encoded else password}@h/d?prepare_thresold=1"
    for text in (url, url.partition("?")[0]):
        try:
            read = parse(text)
        except StoreUnavailable as error:
            shown = f"{error!r} {error.__cause__!r}"
        else:
            shown = f"{read!r} {read.location} {read.without_secrets}"
            assert not encoded or read.parameters["password"] == password
            found = Settings(connector_database_url=text, _env_file=None).secrets()
            assert read.parameters["password"] in found
        assert "PW" not in shown


def test_settings_name_each_secret_of_the_url() -> None:
    """The settings name all secrets of a URL with several hosts and parameters, for redaction."""
    url = "postgresql://u:a%2Fb@[::1]:1,h2/d?sslpassword=geheim%21&password=c"
    found = Settings(connector_database_url=url, _env_file=None).secrets()
    assert {"a/b", "a%2Fb", "geheim!", "c"} <= set(found)


def test_the_next_host_is_taken(postgresql_server: PostgresqlServer, postgresql_url: str) -> None:
    """With the first of two hosts down, the second is used."""
    database = postgresql_url.partition("@/")[2].partition("?")[0]
    store = Store(f"postgresql://postgres@/{database}?host=/nowhere&host={postgresql_server.folder}")
    try:
        store.write(counting.put("a"))
        assert store.read(counting.read("a")) == "1"
    finally:
        store.close()
