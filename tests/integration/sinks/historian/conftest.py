"""The database of one test."""

from collections.abc import Iterator

import pytest

from tests.integration.sinks.historian.database import Database


@pytest.fixture
def database(postgres: str, enterprise: str) -> Iterator[Database]:
    found = Database(postgres, enterprise.replace("-", "_"))
    yield found
    found.ask(f"DROP SCHEMA IF EXISTS {found.schema} CASCADE")
