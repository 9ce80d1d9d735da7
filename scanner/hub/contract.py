"""The MQTT contract as documents: ``python -m scanner.hub.contract docs/mqtt`` writes them.

AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0) and JSON Schema 2020-12,
both made from the types of ``core/wire.py``, which are the only place where a field is defined.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from scanner.core.wire import PLAIN_BYTES, SEALED_BYTES, Cell, Change, Record, Stats, Topics

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
LICENCE: Final = "https://opendatacommons.org/licenses/odbl/1-0/"
STATUS: Final = {
    "title": "HubStatus",
    "description": "Whether the hub is there; the broker says offline for it when it dies.",
    "type": "string",
    "enum": ["online", "offline"],
}
SEALED: Final = {
    "title": "SealedRecord",
    "description": "A libsodium sealed box to the hub's key: ephemeral key 32 bytes, tag 16, and a"
    f" plain record, always {PLAIN_BYTES}. Only the hub opens it. What is inside: schemas/record.",
    "type": "string",
    "format": "binary",
    "minLength": SEALED_BYTES,
    "maxLength": SEALED_BYTES,
}
Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """JSON Schemas by file name, each complete in itself."""
    types = {"cell": Cell, "change": Change, "stats": Stats, "record": Record}
    made: dict[str, Schema] = {
        name: {"$schema": DIALECT, **msgspec.json.schema(kind)} for name, kind in types.items()
    }
    made["record"]["$comment"] = (
        f"The plain form is msgpack of this, then the byte 0x80 and zeros up to {PLAIN_BYTES}"
        " bytes; cohort is a msgpack binary."
    )
    return made | {"status": {"$schema": DIALECT, **STATUS}}


def asyncapi(topics: Topics | None = None) -> Schema:
    """The AsyncAPI document of a hub, for a root of topics."""
    topics = topics or Topics()
    _, components = msgspec.json.schema_components(
        [Cell, Change, Stats], ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "A shared map of surveillance cameras",
            "version": topics.root.rpartition("/")[2].lstrip("v") + ".0.0",
            "description": "Sealed records go to the hub, the map comes back. No message tells who"
            " reported, when, or from where. No record is not no camera.",
            "license": {"name": "ODbL-1.0 (the map)", "url": LICENCE},
        },
        "defaultContentType": "application/json",
        "channels": _channels(topics),
        "operations": _operations(),
        "components": {
            "messages": {
                "SealedRecord": _message(SEALED["description"], "SealedRecord", binary=True),
                "Cell": _message("Published cameras of one cell; empty: none left.", "Cell"),
                "Change": _message("One change of the map.", "Change"),
                "HubStatus": {
                    "summary": STATUS["description"],
                    "contentType": "text/plain",
                    "payload": {"$ref": "#/components/schemas/HubStatus"},
                },
                "Stats": _message("Counts; nothing about who reported.", "Stats"),
            },
            "schemas": {**components, "HubStatus": STATUS, "SealedRecord": SEALED},
        },
    }


def _message(summary: object, schema: str, *, binary: bool = False) -> Schema:
    kind = "octet-stream" if binary else "json" if schema == "Stats" else "geo+json"
    return {
        "summary": summary,
        "contentType": f"application/{kind}",
        "payload": {"$ref": f"#/components/schemas/{schema}"},
    }


def _channels(topics: Topics) -> Schema:
    letters = {f"g{i}": {"description": f"Letter {i} of the cell's geohash"} for i in range(1, 7)}
    # Topics are written by the wire module alone: six placeholders stand in for a cell's letters.
    cell = [f"{{{name}}}" for name in letters]

    rows: list[tuple[str, str, str, str]] = [
        ("in", topics.inbox, "SealedRecord", "Scanners write, the hub reads, nobody else."),
        ("map", topics.map_cell(cell), "Cell", "Retained, one message per cell."),
        ("changes", topics.changes(cell), "Change", "Not retained."),
        ("status", topics.status, "HubStatus", "Retained, with a last will."),
        ("stats", topics.stats, "Stats", "Retained."),
    ]
    return {
        name: {
            "address": address,
            "description": text,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            **({"parameters": letters} if "{" in address else {}),
        }
        for name, address, message, text in rows
    }


def _operations() -> Schema:
    rows = [
        ("receiveRecords", "receive", "in", False),
        ("publishCells", "send", "map", True),
        ("publishChanges", "send", "changes", False),
        ("publishStatus", "send", "status", True),
        ("publishStats", "send", "stats", True),
    ]
    return {
        name: {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "bindings": {"mqtt": {"qos": 1, "retain": retain, "bindingVersion": "0.2.0"}},
        }
        for name, action, channel, retain in rows
    }


def documents() -> dict[str, str]:
    """All files below the folder, by name."""
    files: dict[str, Schema] = {"asyncapi.json": asyncapi()}
    files |= {f"schemas/{name}.schema.json": schema for name, schema in schemas().items()}
    return {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in files.items()
    }


def main(folder: Path) -> None:
    """Write the documents."""
    for name, text in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
