"""Quality models for tests: logistic over some characteristics, with a hash that fits."""

from typing import Any

from pydantic import TypeAdapter

from tests.harness.line_logs import plant
from topology.model.plant import Plant
from topology.model.quality_model import QualityModel, content_hash


def quality_model(*characteristics: str, **changed: Any) -> dict[str, Any]:
    """A model as a plant folder has it: usual value 500, a standard deviation of 5 adds 0.8 to the log-odds."""
    feature = {"mean": 500.0, "scale": 5.0, "low": 480.0, "high": 520.0, "weight": 0.8}
    plain = {
        "features": [{"characteristic": name, **feature} for name in characteristics],
        "intercept": -3.0,
        "calibration": {"kind": "platt", "slope": 0.9, "intercept": -0.1},
        "base_rate": 0.05,
        "trained_from": "2026-10-01T00:00:00+00:00",
        "trained_to": "2026-11-01T00:00:00+00:00",
        **changed,
    }
    whole = QualityModel.model_construct(**_typed(plain), hash="").model_dump(exclude={"hash"})
    return {**plain, "hash": content_hash(whole)}


def _typed(plain: dict[str, Any]) -> dict[str, Any]:
    """The fields as the model has them, not yet judged by their hash."""
    fields = QualityModel.model_fields
    made: dict[str, Any] = {}
    for name, value in plain.items():
        kind: Any = fields[name].annotation
        made[name] = TypeAdapter(kind).validate_python(value)
    return {"trees": (), "held_out": {}, **made}


def predicting(*characteristics: str) -> Plant:
    """The plant of `line_logs` with a model for its type; of FillVolume where nothing is said."""
    told = plant().model_dump(mode="json")
    told["types"]["filler"]["quality_model"] = "scrap@1"
    told["quality_models"] = {"scrap@1": quality_model(*(characteristics or ("FillVolume",)))}
    return Plant.model_validate(told)
