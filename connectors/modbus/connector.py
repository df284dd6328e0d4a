"""The Modbus connections as a connector."""

from functools import partial

from connectors.kit.polling.connector import PollingConnector
from connectors.modbus.config import ModbusConfig
from connectors.modbus.poller import ModbusPoller


class ModbusConnector(PollingConnector):
    """Every value of every cycle, at the time of its arrival: Modbus knows no times (see the README)."""

    def __init__(self, name: str, config: ModbusConfig) -> None:
        super().__init__(
            "Modbus",
            "are address and unit right, is timeout_s long enough?",
            [partial(ModbusPoller, name, config, link) for link in config.links],
        )
