"""The databases: each test runs on all of them, as far as they are there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.mariadb import MISSING, MariaDb, installed
from tests.integration.sinks.sql.databases import Database, Maria, Postgres, Sqlite


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    if not installed():
        pytest.skip(MISSING)
    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path, enterprise: str) -> Iterator[Database]:
    name = enterprise.replace("-", "_")
    match request.param:
        case "sqlite":
            yield Sqlite(tmp_path)
        case "postgres":
            found = Postgres(request.getfixturevalue("postgres"), name)
            yield found
            found.drop()
        case _:
            yield Maria(request.getfixturevalue("mariadb_server"), name)


@pytest.fixture
def maria(mariadb_server: MariaDb, enterprise: str) -> Maria:
    return Maria(mariadb_server, enterprise.replace("-", "_"))
