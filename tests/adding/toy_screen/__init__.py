"""A toy screen: of how many places there is an OEE."""

from collections.abc import Callable

from topology.namespace.classes import MessageClass
from uns.web.screen import Context, ScreenSpec

from .picture import Newest


def _build(context: Context[Newest]) -> Callable[[], None]:
    from .view import build  # NiceGUI is loaded by whoever draws

    return build(context)


spec = ScreenSpec(
    title="toys",
    summary="of how many places there is an OEE",
    order=5,
    classes=(MessageClass.OEE,),
    picture=lambda plant: Newest(),
    build=_build,
)
