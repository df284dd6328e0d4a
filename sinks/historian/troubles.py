"""What a database says when it does not take rows, in words that name who is in the way and what to do."""

import psycopg
from psycopg import AsyncConnection

from sinks.historian.tables import Row

_HINTS = {
    "53300": "no more connections: raise max_connections (or the role's limit), or close others",
    "53100": "its disk is full: make room; nothing is lost meanwhile",
    "53200": "it is out of memory",
    "25006": "it only reads: is this a standby?",
    "57P03": "it is starting or stopping",
    "42501": "may this user create and write the tables?",
    "42P01": "a table is gone; it is made anew",
    "55P03": "a lock is held by somebody else",
}
"""SQLSTATE → what it means here."""
_HOLDERS = """SELECT l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.usename, c.relname, max(l.mode),
    coalesce(extract(epoch FROM now() - min(a.xact_start)), 0)
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind <> 'i' AND l.granted AND l.pid <> pg_backend_pid()
    GROUP BY l.pid, a.application_name, a.usename, c.relname ORDER BY 6 DESC LIMIT 3"""


def words(error: BaseException) -> str:
    """On one line."""
    return " ".join(str(error).split())[:500] or type(error).__name__


def told(error: psycopg.Error) -> str:
    """Its words, and what they mean."""
    hint = _HINTS.get(error.sqlstate or "")
    return words(error) + (f" ({hint})" if hint else "")


async def holders(connection: AsyncConnection[Row], schema_name: str) -> str:
    """Who else holds locks on our tables now; empty where nobody does, or it cannot be asked."""
    try:
        async with connection.transaction():
            found = await (await connection.execute(_HOLDERS, (schema_name,))).fetchall()
    except psycopg.Error:
        return ""
    return "; ".join(
        f"process {pid} ({name}, user {user}) has {mode} on {table}, in a transaction of {age_s:.0f} s"
        for pid, name, user, table, mode, age_s in found
    )
