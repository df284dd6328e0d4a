"""Values as columns hold them, whatever the record says: fitted or refused in words, never changed silently."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import types as kinds
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from sinks.sql.fitting import Unfit, fitted
from uns.testing.text import NUMBERS, TEXTS, check_sendable

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 7, 1, 4, 0, 0, 250_000, tzinfo=UTC)
ID = "12345678-1234-5678-1234-567812345678"


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        (None, kinds.Integer(), None),
        (AT, kinds.DateTime(), datetime(2026, 7, 1, 6, 0, 0, 250_000)),
        (AT, kinds.DateTime(timezone=True), AT),
        (AT.isoformat(), kinds.DateTime(), datetime(2026, 7, 1, 6, 0, 0, 250_000)),
        ("2026-07-01 06:00:00", kinds.DateTime(timezone=True), AT.replace(microsecond=0)),
        (AT, mysql.TIMESTAMP(fsp=6), datetime(2026, 7, 1, 4, 0, 0, 250_000)),
        (AT, mysql.DATETIME(fsp=6), datetime(2026, 7, 1, 6, 0, 0, 250_000)),
        (AT, mysql.DATETIME(), datetime(2026, 7, 1, 6, 0, 0)),
        (AT, mysql.DATETIME(fsp=1), datetime(2026, 7, 1, 6, 0, 0, 200_000)),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), kinds.Date(), date(2026, 7, 1)),
        (AT, kinds.Time(), time(6, 0, 0, 250_000)),
        (True, kinds.Integer(), 1),
        ("17", kinds.BigInteger(), 17),
        (17.0, kinds.Integer(), 17),
        (2**63 - 1, kinds.BigInteger(), 2**63 - 1),
        ("1.50", kinds.Numeric(10, 2), Decimal("1.50")),
        (0.1, kinds.Numeric(10, 2), Decimal("0.1")),
        (1, kinds.Float(), 1.0),
        ("0", kinds.Boolean(), False),
        ("true", kinds.Boolean(), True),
        (1, kinds.Boolean(), True),
        (17, kinds.String(10), "17"),
        (False, kinds.String(10), "false"),
        ({"a": [1, "ü"]}, kinds.Text(), '{"a":[1,"ü"]}'),
        ({"a": 1}, kinds.JSON(), {"a": 1}),
        ('{"a": 1}', kinds.JSON(), {"a": 1}),
        (ID, kinds.Uuid(), UUID(ID)),
        ("ü", kinds.LargeBinary(), b"\xc3\xbc"),
    ],
    ids=str,
)
def test_fits(value: Any, kind: TypeEngine[Any], wanted: Any) -> None:
    found = fitted(value, kind, BERLIN)
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("soon", kinds.DateTime(), "no time in ISO 8601"),
        (17, kinds.DateTime(), "17 is no time"),
        (1.5, kinds.Integer(), "no whole number"),
        (float("nan"), kinds.Integer(), "no number"),
        (float("inf"), kinds.Numeric(), "no number"),
        (10**400, kinds.Float(), "no number"),
        (2**70, kinds.BigInteger(), "too large"),
        ("1e999999999", kinds.Integer(), "no number"),
        ("maybe", kinds.Boolean(), "neither true nor false"),
        (2, kinds.Boolean(), "neither true nor false"),
        ("a\ud800", kinds.Text(), "surrogate"),
        ({"a": "\ud800"}, kinds.Text(), "surrogate"),
        ("x", kinds.Uuid(), "no UUID"),
        (datetime(9999, 12, 31, 23, 30, tzinfo=UTC), kinds.DateTime(), "9999"),
    ],
    ids=str,
)
def test_refuses_in_words(value: Any, kind: TypeEngine[Any], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        fitted(value, kind, BERLIN)


KINDS = [
    kinds.DateTime(),
    kinds.DateTime(timezone=True),
    kinds.Date(),
    kinds.Boolean(),
    kinds.BigInteger(),
    kinds.Float(),
    kinds.Numeric(),
    kinds.Text(),
    kinds.JSON(),
    kinds.Uuid(),
    kinds.LargeBinary(),
    mysql.TIMESTAMP(),
    kinds.NullType(),
]
VALUES = st.none() | NUMBERS | TEXTS | st.datetimes(timezones=st.just(UTC)) | st.lists(NUMBERS | TEXTS, max_size=2)


@given(VALUES, st.sampled_from(KINDS))
def test_whatever_comes_is_fitted_or_refused(value: Any, kind: TypeEngine[Any]) -> None:
    try:
        found = fitted(value, kind, BERLIN)
    except Unfit as error:
        check_sendable(str(error).encode("ascii", "backslashreplace").decode(), "message")
        return
    if isinstance(kind, kinds.Text) and isinstance(value, str):
        assert found == value
    if isinstance(kind, kinds.BigInteger) and found is not None and not isinstance(value, str | list):
        assert found == value
    if isinstance(kind, kinds.JSON) and isinstance(value, list):
        json.dumps(found)
