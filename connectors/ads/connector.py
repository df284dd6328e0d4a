"""The ADS connections as a connector."""

from functools import partial

from connectors.ads.config import AdsConfig
from connectors.ads.poller import AdsPoller
from connectors.kit.polling.connector import Extra, PollingConnector

EXTRA = Extra("pyads", "pyads", "ads")
HINT = "has the controller a route to our AMS net id and address, is its firewall open, are net id and timeout_s right?"


class AdsConnector(PollingConnector):
    """Every value of every cycle, at the time of its arrival (see the README)."""

    def __init__(self, name: str, config: AdsConfig) -> None:
        super().__init__("ADS", HINT, [partial(AdsPoller, name, config, plc) for plc in config.plcs], EXTRA)
