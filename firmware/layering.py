"""Layers: which there are, which a configuration needs, and what they say together.

The files are those of rpi-image-gen: a comment block between METABEGIN and METAEND, then a YAML
document with ``mmdebstrap:``. Read here is what this project uses of that; a key that is not known
is an error and not passed over.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from scanner.errors import ConfigError

FOLDER: Final = Path(__file__).parent
LAYERS: Final = FOLDER / "layers"
CONFIGS: Final = FOLDER / "config"
_META: Final = re.compile(r"^# METABEGIN\n(.*?)^# METAEND\n", re.DOTALL | re.MULTILINE)
_FIELD: Final = re.compile(r"^# X-Env-Layer-([A-Za-z]+): (.+)$", re.MULTILINE)


class Mmdebstrap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a layer adds to the call of mmdebstrap; hooks get the tree as ``$1``."""

    mode: str = ""
    variant: str = ""
    suite: str = ""
    mirrors: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    dpkgopts: tuple[str, ...] = ()
    customize_hooks: tuple[str, ...] = ()


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mmdebstrap: Mmdebstrap


class Layer(msgspec.Struct, frozen=True):
    """One file."""

    name: str
    requires: tuple[str, ...]
    provides: tuple[str, ...]
    body: Mmdebstrap


class Info(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a configuration."""

    name: str


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration: the layers of one image, and what differs below them."""

    info: Info
    layer: dict[str, str]
    slots: str  # bootcounting or tryboot: who picks the slot at start
    root_mib: int  # of one slot's partition
    devices: tuple[str, ...] = ()  # Raspberry Pi Imager's tags
    edgetpu_sha256: str | None = None  # of Google's library; empty: nobody has checked one yet


class Definition(msgspec.Struct, frozen=True):
    """What the layers say together, in order; nothing twice."""

    layers: tuple[str, ...]
    suite: str
    mirrors: tuple[str, ...]
    packages: tuple[str, ...]
    dpkgopts: tuple[str, ...]
    hooks: tuple[str, ...]


def read_layer(path: Path) -> Layer:
    """One layer's file; raises ConfigError with its name."""
    text = path.read_text(encoding="utf-8")
    block = _META.search(text)
    if not block:
        raise ConfigError(f"{path.name}: no METABEGIN block", hint="see firmware/layers/base.yaml")
    fields = dict(_FIELD.findall(block[1]))
    if "Name" not in fields:
        raise ConfigError(f"{path.name}: no X-Env-Layer-Name")
    try:
        body = msgspec.yaml.decode(text, type=_Body).mmdebstrap
    except msgspec.MsgspecError as e:
        raise ConfigError(f"{path.name}: {e}") from e
    requires, provides = (
        tuple(name for name in fields.get(key, "").split(",") if name)
        for key in ("Requires", "Provides")
    )
    return Layer(fields["Name"], requires, provides, body)


def read_layers(folder: Path = LAYERS) -> dict[str, Layer]:
    """All layers by name; raises ConfigError."""
    found: dict[str, Layer] = {}
    for path in sorted(folder.glob("*.yaml")):
        layer = read_layer(path)
        if layer.name in found:
            raise ConfigError(f"{path.name}: a second layer called {layer.name}")
        found[layer.name] = layer
    return found


def read_image(path: Path) -> Image:
    """One configuration; raises ConfigError."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Image)
    except msgspec.MsgspecError as e:
        raise ConfigError(f"{path.name}: {e}") from e
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {e.strerror}") from e


def resolve(image: Image, layers: Mapping[str, Layer]) -> Definition:
    """The image's layers, each after those it requires; raises ConfigError."""
    order: list[Layer] = []
    for name in image.layer.values():
        _visit(name, layers, order, ())
    suites = [layer.body.suite for layer in order if layer.body.suite]
    if len(suites) != 1:
        raise ConfigError(f"{image.info.name}: one layer must name the suite, {len(suites)} do")
    return Definition(
        layers=tuple(layer.name for layer in order),
        suite=suites[0],
        mirrors=_once(order, "mirrors"),
        packages=_once(order, "packages"),
        dpkgopts=tuple(option for layer in order for option in layer.body.dpkgopts),
        hooks=tuple(hook for layer in order for hook in layer.body.customize_hooks),
    )


def _visit(
    name: str, layers: Mapping[str, Layer], order: list[Layer], above: tuple[str, ...]
) -> None:
    if name in above:
        raise ConfigError(f"layers require each other: {' > '.join((*above, name))}")
    if name not in layers:
        raise ConfigError(f"no layer is called {name}", hint=f"there are: {', '.join(layers)}")
    if layers[name] in order:
        return
    for required in layers[name].requires:
        _visit(required, layers, order, (*above, name))
    order.append(layers[name])


def _once(order: list[Layer], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for layer in order for value in getattr(layer.body, key)))
