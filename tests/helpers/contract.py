"""Checks messages against the committed documents, which the world outside relies on."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from scanner.core.wire import SEALED_BYTES

FOLDER = Path(__file__).parents[2] / "docs" / "mqtt"
JSON = {"map": "cell", "changes": "change", "hub/stats": "stats"}


def closed(schema: Any) -> Any:
    """The same schema, but a field that it does not name is an error: none may slip out."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        shut.setdefault("additionalProperties", False)
    return shut


def validator(name: str) -> Draft202012Validator:
    """Of one of the committed schemas, closed."""
    schema = json.loads((FOLDER / "schemas" / f"{name}.schema.json").read_text())
    return Draft202012Validator(closed(schema))


VALIDATORS = {name: validator(name) for name in ("cell", "change", "stats", "status")}


def check(topic: str, payload: bytes) -> None:
    """Raises if a message, its topic without the root, breaks the contract."""
    if topic == "in":
        assert len(payload) == SEALED_BYTES
    elif topic == "hub/status":
        VALIDATORS["status"].validate(payload.decode())
    elif payload or not topic.startswith("map/"):
        (name,) = [name for start, name in JSON.items() if topic.startswith(start)]
        VALIDATORS[name].validate(json.loads(payload))
