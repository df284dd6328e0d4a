"""What a database says when it does not take rows: whose fault it is, and in which words it is told. Pure."""

import re
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError, StatementError

from sinks.sql.fitting import Unfit

WORDS_MAX = 500
_PG_RECORD = ("22", "23", "54")
"""Classes of SQLSTATE that a record provokes: data, constraints, limits."""
_MYSQL_RECORD = frozenset(
    {1048, 1062, 1136, 1153, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1416, 1451, 1452, 1557}
    | {1569, 1586, 1644, 1690, 1859, 3140, 3141, 3819, 3903, 4025, 4038}
)
"""Error numbers of MariaDB and MySQL that a record provokes: NULL, duplicates, ranges, letters, lengths, constraints,
what a trigger refuses, a row beyond max_allowed_packet."""
_ORACLE_RECORD = frozenset([1, 1400, 1401, 1407, 1426, 1438, 1722, 1830, 1840, 2290, 2291, 2292, 12899])
_TOO_LONG = ("57014", 1969, 3024, "HYT00")
"""A statement that ran into its time-out: written in smaller parts it may end in time."""
_TLS = "TLS fails: does ca_file hold the right certificate?"
_HINTS = {
    "sqlite": {
        "locked": "somebody else holds a lock on it",
        "readonly": "it only reads: may this user write the file?",
        "full": "its disk is full: make room; nothing is lost meanwhile",
        "unable to open": "is its folder there, and may this user write into it?",
        "malformed": "the file is damaged",
        "not a database": "the file is another one",
        "no such table": "a table is gone; is it to be made anew?",
    },
    "postgresql": {
        "53300": "no more connections: raise max_connections, or close others",
        "53100": "its disk is full: make room; nothing is lost meanwhile",
        "25006": "it only reads: is this a standby?",
        "57P03": "it is starting or stopping",
        "28P01": "are user and password right?",
        "42501": "may this user write the table?",
        "42P01": "a table is gone; is it to be made anew?",
        "42703": "a column is gone: have `columns` and the table changed?",
        "55P03": "somebody else holds a lock on the table or its rows",
        "40P01": "a deadlock with somebody else's writing",
        "password": "are user and password right?",
        "refused": "is it up, and is the address right?",
    },
    "mariadb": {
        "1040": "no more connections: raise max_connections, or close others",
        "1203": "this user has no more connections",
        "1226": "this user has no more of what it may use",
        "1044": "may this user use this database?",
        "1045": "are user and password right?",
        "1049": "there is no database of this name",
        "1142": "may this user write the table?",
        "1146": "a table is gone; is it to be made anew?",
        "1054": "a column is gone: have `columns` and the table changed?",
        "1205": "somebody else holds a lock on the table or its rows",
        "1213": "a deadlock with somebody else's writing",
        "1290": "it only reads: is this a replica?",
        "1792": "it only reads: is this a replica?",
        "1665": "its binary log takes whole statements only: set binlog_format to MIXED or ROW",
        "1836": "it only reads: is this a replica?",
        "1021": "its disk is full: make room; nothing is lost meanwhile",
        "1114": "the table or its disk is full: make room; nothing is lost meanwhile",
        "2003": "is it up, and is the address right?",
        "2006": "the connection was lost",
        "2013": "the connection was lost",
        "2026": _TLS,
    },
}
"""Dialect → its code, or a word of its message → what that means here."""


class Fault(NamedTuple):
    """What came of a statement."""

    of_record: bool
    """The record provoked it; anything else would hit every record."""
    too_long: bool
    reason: str
    """A bounded label."""


def judged(error: BaseException, dialect: str) -> Fault:
    """Whose fault it is."""
    if isinstance(error, Unfit):
        return Fault(True, False, "unfit")
    if isinstance(error, DBAPIError) and error.orig is not None:
        code = _code(error.orig)
        of_record = not error.connection_invalidated and _of_record(error, code, dialect)
        label = re.sub(r"[^A-Za-z0-9]", "", str(code if code is not None else "")) or "data"
        return Fault(of_record, code in _TOO_LONG, f"{_spelled(dialect)}_{label[:20]}")
    # What Python cannot give to the driver: an integer beyond 64 bits, a type that the column's does not know.
    own = isinstance(error, StatementError | OverflowError | ValueError | TypeError)
    return Fault(own, False, "unfit" if own else f"{_spelled(dialect)}_data")


def _spelled(dialect: str) -> str:
    return {"postgresql": "postgres"}.get(dialect, dialect)


def _code(error: BaseException) -> str | int | None:
    """SQLSTATE of PostgreSQL and of ODBC, number of MariaDB, MySQL and Oracle, name of SQLite."""
    first = error.args[0] if error.args else None
    if isinstance(first, int):
        return first  # PyMySQL has an SQLSTATE, too, which says less
    if isinstance(state := getattr(error, "sqlstate", None), str):
        return state
    if isinstance(name := getattr(error, "sqlite_errorname", None), str):
        return name.removeprefix("SQLITE_").lower()
    if isinstance(code := getattr(first, "code", None), int):
        return code
    return first if isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first) else None


def _of_record(error: DBAPIError, code: str | int | None, dialect: str) -> bool:
    match dialect:
        case "postgresql":
            kind = type(error.orig).__name__
            return code.startswith(_PG_RECORD) if isinstance(code, str) else kind == "DataError"
        case "mariadb" | "mysql":
            return code in _MYSQL_RECORD
        case "oracle":
            return code in _ORACLE_RECORD
        case "mssql":
            return isinstance(code, str) and code.startswith(_PG_RECORD[:2])
    return type(error.orig).__name__ in ("IntegrityError", "DataError", "InterfaceError", "ProgrammingError")


def words(error: BaseException) -> str:
    """What driver or database say, on one line, as a message can carry it; never the statement or its values."""
    said = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    text = " ".join(str(said.args[1] if _numbered(said) else said).split()) or type(said).__name__
    return text.encode("utf-8", "replace").decode()[:WORDS_MAX]


def _numbered(error: BaseException) -> bool:
    return len(error.args) == 2 and isinstance(error.args[0], int) and isinstance(error.args[1], str)


def told(error: BaseException, dialect: str) -> str:
    """Its words, and what they mean."""
    orig = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code, said = str(_code(orig)), words(error)
    hints = _HINTS.get("mariadb" if dialect == "mysql" else dialect, {})
    hint = _TLS if "certificate verify failed" in said else hints.get(code)
    hint = hint or next((means for word, means in hints.items() if word in said), None)
    if hint is None and (isinstance(error, ImportError) or "is required" in said):
        hint = "a package that this login needs is not installed"
    return said + (f" ({hint})" if hint else "")
