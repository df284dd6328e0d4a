"""Modbus: registers and bits of many devices, over TCP, RTU over TCP and serial lines, each device at its own period."""

from connectors.base import ConnectorSpec
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connector import ModbusConnector
from connectors.modbus.inventory import browse, listing

spec = ConnectorSpec(
    config=ModbusConfig,
    build=ModbusConnector,
    summary="Modbus TCP, RTU over TCP and serial RTU: typed register maps, each device at its own period; SunSpec models",
    paths=ModbusConfig.literal_paths,
    browse=browse,
    listing=listing,
    every_s=ModbusConfig.longest_period_s,
)
