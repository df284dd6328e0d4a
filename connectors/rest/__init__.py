"""REST: lists of objects that systems of record give as JSON over HTTP, asked for by a watermark."""

from connectors.base import ConnectorSpec
from connectors.rest.config import RestConfig
from connectors.rest.connector import RestConnector

spec = ConnectorSpec(
    config=RestConfig,
    build=RestConnector,
    summary="new and changed objects of CMMS, MES and ERP over HTTP, by a watermark; pages, ties and late changes handled",
    paths=RestConfig.literal_paths,
)
