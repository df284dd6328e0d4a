"""The variables of each machine: those listed, and those below its node. A machine that has none is looked for again."""

from collections.abc import Sequence

import structlog
from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.opcua.address import UnknownNamespace, resolve
from connectors.opcua.browse import NotThere, below
from connectors.opcua.config import Machine
from connectors.opcua.retry import Retry
from connectors.opcua.services import Pieces

log = structlog.get_logger()

LEFT_OUT_MAX = 10
"""Things left out that one line names."""


class _Absent:
    """What of a machine could not be found."""

    __slots__ = ("retry", "why")

    def __init__(self) -> None:
        self.why, self.retry = "", Retry()

    def again(self, why: str) -> None:
        self.why = why
        self.retry.failed()


class Machines:
    """One for a connector. Names are resolved anew at each open: what they stand for may have moved."""

    def __init__(self, connector: str, pieces: Pieces) -> None:
        self._connector, self._pieces = connector, pieces
        self._namespaces: Sequence[str] = ()
        self._absent: dict[str, _Absent] = {}
        self._left_out: dict[str, tuple[str, ...]] = {}
        """By machine, what browsing did not take; said once."""

    def reopened(self, namespaces: Sequence[str]) -> None:
        """A new connection, to a server with these namespaces."""
        self._namespaces, self._absent = namespaces, {}

    def due(self, machine: Machine) -> bool:
        """Whether something of it could not be found and may be looked for again."""
        absent = self._absent.get(machine.path)
        return absent is not None and absent.retry.due

    def problems(self) -> list[str]:
        return [f"{path}: {absent.why}" for path, absent in self._absent.items()]

    async def variables(self, services: UaClient, machine: Machine, most: int) -> dict[str, ua.NodeId]:
        """Tag → node; what is not found is named by `problems`. Raises what the services raise."""
        variables: dict[str, ua.NodeId] = {}
        problems: list[str] = []
        for tag, text in machine.tags.items():
            try:
                variables[tag] = resolve(text, self._namespaces)
            except UnknownNamespace as error:
                problems.append(f"{tag} ({text}): {error}")
        if machine.node is not None:
            try:
                for tag, node in (await self._below(services, machine, machine.node, most, variables)).items():
                    variables.setdefault(tag, node)
            except (UnknownNamespace, NotThere) as error:
                problems.append(f"no variables below {machine.node} ({error}); is the node id right?")
        if problems:
            self._absent.setdefault(machine.path, _Absent()).again("; ".join(problems))
        else:
            self._absent.pop(machine.path, None)
        return variables

    async def _below(
        self, services: UaClient, machine: Machine, root: str, most: int, listed: dict[str, ua.NodeId]
    ) -> dict[str, ua.NodeId]:
        """Those below a node that are not listed. Raises `NotThere` where there are none, and `UnknownNamespace`."""
        found = await below(services, self._pieces, resolve(root, self._namespaces), self._namespaces, most)
        if not found.variables:
            raise NotThere("it has none")
        if found.left_out and self._left_out.get(machine.path) != found.left_out:
            self._left_out[machine.path] = found.left_out
            what = "; ".join(found.left_out[:LEFT_OUT_MAX])
            log.warning("not read", connector=self._connector, path=machine.path, what=what)
        nodes = set(listed.values())
        return {tag: node for tag, node in found.variables.items() if node not in nodes}
