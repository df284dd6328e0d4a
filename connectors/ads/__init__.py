"""Beckhoff TwinCAT over ADS: variables of PLC programs, by name."""

from connectors.ads.config import AdsConfig
from connectors.ads.connector import AdsConnector
from connectors.ads.inventory import browse, listing
from connectors.base import ConnectorSpec

spec = ConnectorSpec(
    config=AdsConfig,
    build=AdsConnector,
    summary="Beckhoff TwinCAT controllers over ADS: variables of PLC programs, by name (beta)",
    browse=browse,
    listing=listing,
    paths=AdsConfig.literal_paths,
    every_s=AdsConfig.longest_period_s,
)
