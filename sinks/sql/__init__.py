"""SQL: records as rows of tables, of the user's own or made by us, in any database that SQLAlchemy speaks to."""

from sinks.base import SinkSpec
from sinks.sql.config import SqlSinkConfig
from sinks.sql.readback import verification
from sinks.sql.sink import SqlSink
from sinks.sql.trial import trial

spec = SinkSpec(
    config=SqlSinkConfig,
    build=SqlSink,
    summary="rows of tables in MariaDB, MySQL, PostgreSQL, SQLite and others, upserted by natural id, corrections followed",
    trial=trial,
    verification=verification,
)
