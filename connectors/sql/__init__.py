"""SQL: rows of tables by a watermark, from databases of ERP, MES, QMS and LIMS."""

from connectors.base import ConnectorSpec
from connectors.sql.config import SqlConfig
from connectors.sql.connector import SqlConnector

spec = ConnectorSpec(
    config=SqlConfig,
    build=SqlConnector,
    summary="new and changed rows of PostgreSQL, MariaDB, MySQL, SQLite by a watermark; ties and late commits handled",
    paths=SqlConfig.literal_paths,
)
