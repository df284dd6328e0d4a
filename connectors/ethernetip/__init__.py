"""EtherNet/IP: tags of Rockwell Logix controllers, by name."""

from connectors.base import ConnectorSpec
from connectors.ethernetip.config import EtherNetIpConfig
from connectors.ethernetip.connector import EtherNetIpConnector
from connectors.ethernetip.inventory import browse, listing

spec = ConnectorSpec(
    config=EtherNetIpConfig,
    build=EtherNetIpConnector,
    summary="EtherNet/IP: tags of Rockwell ControlLogix and CompactLogix controllers, by name (beta)",
    browse=browse,
    listing=listing,
    paths=EtherNetIpConfig.literal_paths,
)
