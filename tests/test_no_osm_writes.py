"""Nothing in the program talks to OpenStreetMap: what it finds leaves it as files for people."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = sorted(ROOT.glob("scanner/**/*.py"))
OTHERS = sorted(
    p
    for pattern in ("scanner/hub/page/*", "firmware/**/*", "systemd/*")
    for p in ROOT.glob(pattern)
    if p.is_file()
)
# Modules that can ask the web for something; the hub itself only answers.
CLIENTS = ("urllib.request", "http.client", "requests", "httpx", "aiohttp", "urllib3", "pycurl")
CLIENTS += ("osmapi", "overpy", "overpass", "osmium.replication", "requests_oauthlib", "authlib")
HOSTS = re.compile(
    rb"(?:api|master|dev)[\w.]*\.openstreetmap\.org|openstreetmap\.org/(?:api|oauth)"
    rb"|/api/0\.6|overpass-api|/api/interpreter|api06|oauth2/authorize",
    re.IGNORECASE,
)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def asks_the_web(names: set[str]) -> list[str]:
    return sorted(n for n in names if any(n == c or n.startswith(f"{c}.") for c in CLIENTS))


def test_there_is_something_to_look_at() -> None:
    assert len(PYTHON) > 80
    assert any(p.name == "index.html" for p in OTHERS)


def test_no_module_is_a_client_of_the_web() -> None:
    assert {p.name: names for p in PYTHON if (names := asks_the_web(imports(p)))} == {}


def test_no_file_names_the_address_where_openstreetmap_is_changed() -> None:
    guilty = [p for p in (*PYTHON, *OTHERS) if HOSTS.search(p.read_bytes())]
    assert guilty == []


@pytest.mark.parametrize(
    "text",
    [
        "https://api.openstreetmap.org/api/0.6/changeset/create",
        "https://master.apis.dev.openstreetmap.org/",
        "https://www.openstreetmap.org/oauth2/authorize",
        "https://overpass-api.de/api/interpreter",
    ],
)
def test_the_address_would_be_found(text: str) -> None:
    assert HOSTS.search(text.encode())


@pytest.mark.parametrize(
    "text", ["import httpx", "from urllib.request import urlopen", "from urllib import request"]
)
def test_a_client_would_be_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(text)
    assert asks_the_web(imports(tmp_path / "a.py"))
