"""The topic browser: every tag of the plant found in a moment, with where it comes from and who reads it."""

from pathlib import Path

from topology.namespace.classes import MessageClass
from uns.web.browser.catalog import Catalog
from uns.web.browser.view import view
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Topics",
    summary="every tag: found by name, description and unit; value, quality, age, where it comes from, who reads it",
    order=80,
    classes=(MessageClass.CURRENT,),
    picture=Catalog.of,
    view=view,
    static=Path(__file__).parent / "static",
)
