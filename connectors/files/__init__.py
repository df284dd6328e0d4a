"""Files: CSV, JSON lines, Excel and Parquet in a folder or over SFTP, each row once, read on where it was."""

from connectors.base import ConnectorSpec
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector

spec = ConnectorSpec(
    config=FilesConfig,
    build=FilesConnector,
    summary="CSV, JSON lines, Excel and Parquet in a folder or over SFTP, as they grow or once they are complete; each row once, resumed in the middle",
    paths=FilesConfig.literal_paths,
)
