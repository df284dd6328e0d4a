"""A toy screen: of how many places there is an OEE."""

from pathlib import Path

from topology.namespace.classes import MessageClass
from uns.web.screen import ScreenSpec

from .picture import Newest
from .view import view

spec = ScreenSpec(
    title="toys",
    summary="of how many places there is an OEE",
    order=5,
    classes=(MessageClass.OEE,),
    picture=lambda plant: Newest(),
    view=view,
    static=Path(__file__).parent / "static",
)
