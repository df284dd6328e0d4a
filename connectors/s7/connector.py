"""The S7 connections as a connector."""

from functools import partial

from connectors.kit.polling.connector import Extra, PollingConnector
from connectors.s7.config import S7Config
from connectors.s7.poller import S7Poller


class S7Connector(PollingConnector):
    """Every value of every cycle, at the time of its arrival (see the README)."""

    def __init__(self, name: str, config: S7Config) -> None:
        super().__init__(
            "S7",
            "are address, rack and slot right, is timeout_s long enough?",
            [partial(S7Poller, name, config, plc) for plc in config.plcs],
            Extra("snap7", "python-snap7", "s7"),
        )
