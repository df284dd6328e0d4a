"""An OPC UA server in a process of its own: `python -m bench.connectors.opcua_server PORT NODES`. Each node counts up once a
second; it says how often it was late, and ends with its input."""

import asyncio
import sys
import time
from datetime import UTC, datetime

from asyncua import Server, ua


async def serve(port: int, nodes: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:bench")
    folder = await server.nodes.objects.add_object(ua.NodeId("machine", 2), ua.QualifiedName("machine", 2))
    ids = [ua.NodeId(n, 2) for n in range(1, nodes + 1)]
    for node in ids:
        await folder.add_variable(node, ua.QualifiedName(f"T{node.Identifier}", 2), ua.Variant(0, ua.VariantType.Int64))
    await server.start()
    print("ready", flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    value, due, late = 0, time.monotonic(), 0
    while not ended.done():
        value += 1
        for number, node in enumerate(ids):
            now = datetime.now(UTC)
            data = ua.DataValue(ua.Variant(value, ua.VariantType.Int64), SourceTimestamp=now, ServerTimestamp=now)
            await server.write_attribute_value(node, data)
            if number % 100 == 0:
                await asyncio.sleep(0)
        due += 1.0
        late += due < time.monotonic()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    print(late, flush=True)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
