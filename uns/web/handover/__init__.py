"""The hand-over of a shift: what was made, what stood and why, what is open; notes, and the signatures of two people."""

from pathlib import Path

from uns.web.board import CLASSES, board_of
from uns.web.handover.view import view
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Hand-over",
    summary="one shift of a line: plan and actual, top stops, stops without a reason, open alarms, notes, two signatures",
    order=70,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
)
