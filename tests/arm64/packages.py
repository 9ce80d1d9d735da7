"""Python packages for the tree, brought by this machine's pip: emulated it would take half an hour.

    python tests/arm64/packages.py TREE

What `make setup` installs on such a machine, wheels only: a package without one for aarch64 fails
here. Whether they are all there is told by `pip check` in the tree.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = "3.11"
TARGET: Final = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.2",
    "platform_machine": "aarch64",
    "sys_platform": "linux",
}
GLIBC_MINORS: Final = (17, 24, 26, 27, 28, 31, 34, 35, 36)  # Debian 12 has 2.36
PACKAGES: Final = f"opt/v/lib/python{PYTHON}/site-packages"


def wanted(extra: str = "dev") -> Iterator[str]:
    """The project's requirements for that machine, markers decided, extras of its own followed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*(project["dependencies"] if extra == "dev" else ())]
    for line in [*lines, *project["optional-dependencies"][extra]]:
        one = Requirement(line)
        if one.name == project["name"]:
            for other in sorted(one.extras):
                yield from wanted(other)
        elif not one.marker or one.marker.evaluate(TARGET):
            extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
            yield f"{one.name}{extras}{one.specifier}"


def pip(*arguments: str) -> None:
    """This machine's pip; the first that fails ends the program."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True)


def install(target: Path) -> None:
    """All into the folder ``target``, and a path file to the sources in /src in place of them."""
    shutil.rmtree(target, ignore_errors=True)
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in GLIBC_MINORS]
    named = [
        word for name in ("manylinux2014_aarch64", *platforms) for word in ("--platform", name)
    ]
    into = ("install", "--quiet", "--no-compile", "--target", str(target))
    foreign = ("--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp", *named)
    pip(*into, *foreign, "--no-warn-conflicts", "pip", *wanted())
    pip(*into, "--no-deps", "--no-warn-conflicts", str(ROOT))
    shutil.rmtree(target / "scanner")
    (target / "sources.pth").write_text("/src\n")


if __name__ == "__main__":
    install(Path(sys.argv[1]) / PACKAGES)
