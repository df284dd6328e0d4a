"""Modbus devices in a process of their own: `python -m bench.connectors.modbus_devices PORT …`, a server a port, until its
input ends."""

import asyncio
import sys

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def serve(ports: list[int], registers: int) -> None:
    for port in ports:
        device = SimDevice(1, [SimData(0, count=registers, values=7, datatype=DataType.REGISTERS)])
        await ModbusTcpServer(device, address=("127.0.0.1", port)).serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve([int(port) for port in sys.argv[2:]], int(sys.argv[1])))
