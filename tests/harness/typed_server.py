"""An OPC UA server with structures of its own, as a process: in ours, asyncua would know them. `python -m … PORT`."""

import asyncio
import sys
from datetime import UTC, datetime

from asyncua import Server, ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field

TYPE = ua.VariantType


async def serve(port: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:typed")
    mode = await new_enum(server, index, "Mode", ["Idle", "Run"])
    motor, _ = await new_struct(
        server, index, "Motor", [new_struct_field("Speed", TYPE.Double), new_struct_field("Mode", mode)]
    )
    await new_struct(
        server, index, "Machine",
        [
            new_struct_field("Count", TYPE.UInt32),
            new_struct_field("Temps", TYPE.Float, array=True),
            new_struct_field("Note", TYPE.LocalizedText, optional=True),
            new_struct_field("More", TYPE.Int16, optional=True),
            new_struct_field("Motor", motor),
            new_struct_field("Motors", motor, array=True),
            new_struct_field("Wait", ua.NodeId(ua.ObjectIds.Duration, 0)),
            new_struct_field("Range", ua.NodeId(ua.ObjectIds.Range, 0)),
        ],
    )  # fmt: skip
    await server.load_data_type_definitions()
    typed = vars(ua)
    one, two = (typed["Motor"](Speed=n / 2, Mode=typed["Mode"](n % 2)) for n in (1, 2))
    value = typed["Machine"](Count=7, Temps=[1.5, 2.5], More=-3, Motor=one, Motors=[one, two], Wait=1500.5, Range=ua.Range(-1.0, 1.0))  # fmt: skip
    machine = await server.nodes.objects.add_object(ua.NodeId("filler", 2), ua.QualifiedName("filler", 2))
    await machine.add_variable(ua.NodeId("filler.Machine", 2), ua.QualifiedName("Machine", 2), value)
    await machine.add_variable(ua.NodeId("filler.Motors", 2), ua.QualifiedName("Motors", 2), [one, two])
    async with server:
        for name, given in (("Machine", ua.Variant(value)), ("Motors", ua.Variant([one, two]))):
            data = ua.DataValue(given, SourceTimestamp=datetime(2026, 11, 29, 6, tzinfo=UTC))
            await server.write_attribute_value(ua.NodeId(f"filler.{name}", 2), data)
        print("up", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
