"""The description of the web API (OpenAPI 3.1), from the types that the answers are made of."""

from typing import Any, Final

import msgspec

from scanner.core.wire import CameraFeature, Cell
from scanner.hub.api_answers import BOX, LICENCE, NOTICE, Failure
from scanner.hub.api_forms import Changes, ExposureAnswer, Health, Start, WellOrNot
from scanner.hub.api_reader import Statistics
from scanner.hub.review import LOG_MAX, Wanted
from scanner.hub.review_api import HEADER, QUEUE_MAX, Done, Log, Login, Me, UndoWanted, Waiting

Node = dict[str, Any]

_SCHEMAS: Final = (
    *(Cell, CameraFeature, Changes, ExposureAnswer, Statistics, Failure),
    *(Health, Start, WellOrNot),
    *(Login, Me, Waiting, Wanted, UndoWanted, Done, Log),
)
_BOX: Final[Node] = {
    "name": "bbox",
    "in": "query",
    "description": "west,south,east,north in degrees; west > east: across the date line",
    "schema": {"type": "string", "pattern": BOX, "examples": ["4.88,52.36,4.91,52.38"]},
}
_SEEN: Final = "The answer you have still holds (If-None-Match)."
_DESCRIPTION: Final = (
    f"The cameras on record. {NOTICE} Data under the ODbL 1.0, named in every answer: in its body "
    "where that is JSON, and in the header Link (rel=license). No key is needed; who asks too "
    "often gets 429 with Retry-After. Errors are one line of JSON."
)


def document() -> Node:
    """The whole document, ready for JSON."""
    _, schemas = msgspec.json.schema_components(
        _SCHEMAS, ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Surveillance on record",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "ODbL 1.0 (data)", "identifier": LICENCE},
        },
        "servers": [{"url": "/"}],
        "paths": {**_map_paths(), **_question_paths(), **_hub_paths(), **_review_paths()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "reviewer": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
        },
    }


def _map_paths() -> Node:
    cell = _body("Cell", "application/geo+json")
    tile = {"content": {"application/vnd.mapbox-vector-tile": {"schema": {"type": "string"}}}}
    return {
        "/api/cameras.geojson": _get(
            "The cameras in a box, or all, as one GeoJSON collection",
            {200: ("The collection.", cell), 304: (_SEEN, {}), 400: _bad()},
            _BOX,
        ),
        "/api/camera/{id}": _get(
            "One camera",
            {
                200: ("The camera.", _body("CameraFeature", "application/geo+json")),
                304: (_SEEN, {}),
                404: ("None of this id is on the map.", _body("Failure")),
            },
            _path("id", "string"),
        ),
        "/api/tiles/{z}/{x}/{y}.mvt": _get(
            "A vector tile (Mapbox Vector Tile 2.1): layer cameras from zoom 13 on, clusters below",
            {
                200: ("The tile.", tile),
                204: ("Nothing is on record here.", {}),
                304: (_SEEN, {}),
                404: ("There can be no such tile.", _body("Failure")),
            },
            *(_path(name, "integer") for name in "zxy"),
        ),
    }


def _question_paths() -> Node:
    return {
        "/api/changes": _get(
            "Changes as they happen: server-sent events hello and change",
            {200: ("The stream.", {"content": {"text/event-stream": _TEXT}})},
        ),
        "/api/changes.json": _get(
            "Public changes since a revision",
            {
                200: ("The changes.", _body("Changes")),
                400: _bad(),
                410: ("Too long ago, or not given yet: read the map afresh.", _body("Failure")),
            },
            _number("since", 0, 2**53, 0),
            _number("limit", 1, 1000, 1000),
        ),
        "/api/exposure": {
            "post": {
                "operationId": "exposure",
                "summary": "Which cameras may see a way, and how much of it. The way is not kept",
                "parameters": [_number("reach_m", 5, 200, 30), _number("cone_deg", 10, 180, 90)],
                "requestBody": {
                    "required": True,
                    "description": "A GPX 1.1 track or route, at most 5 MB, 20,000 points, 500 km",
                    "content": {"application/gpx+xml": _TEXT},
                },
                "responses": _responses(
                    {
                        200: ("What may be seen.", _body("ExposureAnswer")),
                        400: _bad(),
                        411: ("The body has no Content-Length.", _body("Failure")),
                        413: ("Too long.", _body("Failure")),
                    }
                ),
            }
        },
        "/api/statistics": _get(
            "How many, of which kind, on record since which month",
            {200: ("The counts.", _body("Statistics")), 304: (_SEEN, {}), 400: _bad()},
            _BOX,
        ),
    }


def _hub_paths() -> Node:
    document = {"content": {"application/json": {"schema": {"type": "object"}}}}
    well = _body("WellOrNot")
    return {
        "/api/openapi.json": _get("This description", {200: ("The document.", document)}),
        "/api/status": _get("How the hub is", {200: ("Broker and store.", _body("Health"))}),
        "/api/health": _get("Whether the hub is well", {200: ("It is.", well), 503: _away(well)}),
        "/api/page.json": _get("What the page begins with", {200: ("Its parts.", _body("Start"))}),
    }


def _review_paths() -> Node:
    """Reviewers alone; what changes anything wants the header X-Review: 1 beside the cookie."""
    since, most = _number("since", 0, 2**53, 0), _number("limit", 1, LOG_MAX, LOG_MAX)
    return {
        "/api/review/login": _reviewing("post", "Open a session", takes="Login", closed=False),
        "/api/review/logout": _reviewing("post", "Close the session", closed=False),
        "/api/review/me": _reviewing("get", "Who is logged in", gives="Me"),
        "/api/review/queue": _reviewing(
            "get", "What to decide next", _number("limit", 1, QUEUE_MAX, 20), gives="Waiting"
        ),
        "/api/review/actions": _reviewing("post", "Decide", takes="Wanted", gives="Done"),
        "/api/review/undo": _reviewing(
            "post", "Take a decision back", takes="UndoWanted", gives="Done"
        ),
        "/api/review/log": _reviewing("get", "All decisions", since, most, gives="Log"),
    }


def _reviewing(
    method: str,
    summary: str,
    *parameters: Node,
    takes: str = "",
    gives: str = "",
    closed: bool = True,
) -> Node:
    """One operation of reviewers; ``closed``: there must be a session."""
    done = {200: ("Done.", _body(gives))} if gives else {204: ("Done.", {})}
    answers = done | {401: ("Log in first.", _body("Failure"))}
    if takes or parameters:
        answers |= {400: _bad()}
    if method == "post":
        answers |= {403: (f"The header {HEADER} is missing.", _body("Failure"))}
        parameters = (_of_our_page(), *parameters)
    found: Node = {
        "operationId": summary.lower().replace(" ", "_"),
        "summary": summary,
        "responses": _responses(answers),
    }
    if closed:
        found["security"] = [{"reviewer": []}]
    if parameters:
        found["parameters"] = list(parameters)
    if takes:
        found["requestBody"] = {"required": True, **_body(takes)}
    return {method: found}


def _of_our_page() -> Node:
    return {"name": HEADER, "in": "header", "required": True, "schema": {"const": "1"}}


_TEXT: Final[Node] = {"schema": {"type": "string"}}


def _get(summary: str, answers: dict[int, tuple[str, Node]], *parameters: Node) -> Node:
    name = "_".join(summary.lower().split(",")[0].split(":")[0].split()[:4])
    operation: Node = {"operationId": name, "summary": summary, "responses": _responses(answers)}
    if parameters:
        operation["parameters"] = list(parameters)
    return {"get": operation}


def _responses(answers: dict[int, tuple[str, Node]]) -> Node:
    often = {
        429: ("Too many questions at once; see Retry-After.", _body("Failure")),
        503: _away(_body("Failure")),
    }
    return {
        str(code): {"description": words, **content}
        for code, (words, content) in (often | answers).items()
    }


def _body(schema: str, media_type: str = "application/json") -> Node:
    return {"content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _away(body: Node) -> tuple[str, Node]:
    return "The hub, or its database, is not well.", body


def _bad() -> tuple[str, Node]:
    return "What is wrong, in one line.", _body("Failure")


def _path(name: str, kind: str) -> Node:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def _number(name: str, low: int, high: int, default: int) -> Node:
    limits = {"type": "number", "minimum": low, "maximum": high, "default": default}
    return {"name": name, "in": "query", "schema": limits}
