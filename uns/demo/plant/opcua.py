"""The machines of one line as an OPC UA server with history: every value at its own plant time."""

from collections.abc import Sequence
from datetime import timedelta

from asyncua import Server, ua

from uns.demo.plant.events import SECOND, Said, moment
from uns.demo.plant.machine import MODELS, Model

NAMESPACE = "urn:demo-plant"
HISTORY_MAX = 20_000
"""Values a variable remembers."""
_TAGS = {
    "State": ua.VariantType.Int32,
    "Mode": ua.VariantType.Int32,
    "Good": ua.VariantType.Int64,
    "Scrap": ua.VariantType.Int64,
    "StopReason": ua.VariantType.Int32,
    "Heartbeat": ua.VariantType.Int64,
}


class MachineServer:
    """Nodes `ns=2;s=<cell>` with variables `ns=2;s=<cell>.<Tag>`; before the first event they wait for initial data."""

    def __init__(self, host: str, port: int, begin: int) -> None:
        self._server = Server()
        self._url, self._begin = f"opc.tcp://{host}:{port}", begin
        self._types: dict[tuple[str, str], ua.VariantType] = {}
        self._ids: dict[tuple[str, str], ua.NodeId] = {}

    async def start(self) -> None:
        server = self._server
        await server.init()
        server.set_endpoint(self._url)
        server.set_server_name("demo plant")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(NAMESPACE)
        if index != 2:
            raise RuntimeError(f"namespace index is {index}, the node ids promise 2")
        variables = []
        for model in MODELS:
            machine = await server.nodes.objects.add_object(ua.NodeId(model.cell, 2), ua.QualifiedName(model.cell, 2))
            for tag, kind in self._tags(model):
                node_id = ua.NodeId(f"{model.cell}.{tag}", 2)
                value = ua.Variant(0.0 if kind is ua.VariantType.Double else 0, kind)
                variable = await machine.add_variable(node_id, ua.QualifiedName(tag, 2), value)
                self._types[model.cell, tag], self._ids[model.cell, tag] = kind, node_id
                waiting = moment(self._begin - SECOND)
                status = ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
                await variable.write_value(
                    ua.DataValue(value, status, SourceTimestamp=waiting, ServerTimestamp=waiting)
                )
                variables.append(variable)
        await server.start()
        await server.historize_node_data_change(variables, period=timedelta(days=36_500), count=HISTORY_MAX)

    @staticmethod
    def _tags(model: Model) -> Sequence[tuple[str, ua.VariantType]]:
        return (*_TAGS.items(), *((tag, ua.VariantType.Double) for tag in model.measured))

    async def say(self, said: Said) -> None:
        cell = said.path.rpartition("/")[2]
        at = moment(said.at)
        value = ua.Variant(said.value, self._types[cell, said.tag])
        await self._server.write_attribute_value(
            self._ids[cell, said.tag], ua.DataValue(value, SourceTimestamp=at, ServerTimestamp=at)
        )

    async def stop(self) -> None:
        await self._server.stop()
