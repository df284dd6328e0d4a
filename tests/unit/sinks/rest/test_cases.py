"""URL templates over tests/cases/rest_template: the URL they make, or the words they are refused with."""

import json
from pathlib import Path

import pytest

from sinks.kit.template import BadTemplate, UnfitValue, check_url, fields, fill_url
from tests.harness.cases import cases, document, name


@pytest.mark.parametrize("folder", cases("rest_template"), ids=name)
def test_case(folder: Path) -> None:
    case = document(folder)
    template = case["template"]
    if "invalid" in case:
        with pytest.raises(BadTemplate, match=case["invalid"]):
            check_url(template, fields(template))
        return
    check_url(template, fields(template))
    values = json.loads(case["values_json"]) if "values_json" in case else case["values"]
    if "refused" in case:
        with pytest.raises(UnfitValue, match=case["refused"]):
            fill_url(template, values)
    else:
        assert fill_url(template, values) == case["url"]
