"""The EtherNet/IP connections as a connector."""

from functools import partial

from connectors.ethernetip.config import EtherNetIpConfig
from connectors.ethernetip.poller import EtherNetIpPoller
from connectors.kit.polling.connector import Extra, PollingConnector

EXTRA = Extra("pycomm3", "pycomm3", "ethernetip")


class EtherNetIpConnector(PollingConnector):
    """Every value of every cycle, at the time of its arrival (see the README)."""

    def __init__(self, name: str, config: EtherNetIpConfig) -> None:
        super().__init__(
            "EtherNet/IP",
            "are address and slot right, is timeout_s long enough?",
            [partial(EtherNetIpPoller, name, config, plc) for plc in config.plcs],
            EXTRA,
        )
