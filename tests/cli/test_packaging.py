"""What a plain ``pip install`` of the program brings to a Pi, and what it leaves out."""

import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = {"numpy", "tflite-runtime", "ai-edge-litert", "paho-mqtt", "msgspec", "pynacl"}

WITHOUT = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
from scanner.cli import main
sys.exit(main(sys.argv[2:]))
"""


def without(modules: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as if some modules were not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, modules, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_the_device_gets_few_packages() -> None:
    lines = requires("cctv-scanner") or []
    plain = {re.split(r"[\s<>=!~;\[]", r)[0].lower() for r in lines if "extra ==" not in r}
    assert plain == CORE


def test_numpy_stays_below_2_where_tflite_runtime_is_used() -> None:
    lines = [r for r in requires("cctv-scanner") or [] if r.startswith("numpy") and "<2" in r]
    assert len(lines) == 1
    assert "3.12" in lines[0]


def test_the_relay_needs_neither_hub_nor_replay(tmp_path: Path) -> None:
    result = without(
        "uvicorn,starlette,av,PIL,iotcore",
        *("relay", "--once", "--broker", "127.0.0.1:9", "--data", str(tmp_path)),
    )
    assert (result.returncode, result.stdout) == (0, "sent 0\n"), result.stderr


def test_a_missing_extra_is_named() -> None:
    result = without("uvicorn", "hub", "keys")
    assert result.returncode == 2
    assert "in a checkout: pip install -e '.[hub]'" in result.stderr
    assert "pip install" in without("uvicorn", "--help").stdout
    result = without("av", "replay", "x.mp4", "--track", "README.md")
    assert result.returncode == 2
