"""One definition: layers that rpi-image-gen reads, two configurations, one list of packages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from firmware import layering
from firmware.base import key
from firmware.layering import CONFIGS, LAYERS, Definition, read_image, read_layers, resolve
from scanner.errors import ConfigError

ROOT = Path(__file__).parents[2]
TARGETS = ("qemu", "pi")
# What only one of the two has: its kernel and its lens.
OWN = {
    "qemu": {"scanner-kernel-debian", "scanner-lens-file"},
    "pi": {"scanner-lens-pi"},
}


def definition(target: str) -> Definition:
    return resolve(read_image(CONFIGS / f"scanner-{target}.yaml"), read_layers())


@pytest.mark.parametrize("target", TARGETS)
def test_each_layer_comes_after_those_it_requires(target: str) -> None:
    layers, order = read_layers(), definition(target).layers
    for place, name in enumerate(order):
        assert set(layers[name].requires) <= set(order[:place])


def test_both_images_are_the_same_but_for_kernel_and_lens() -> None:
    qemu, pi = (set(definition(target).layers) for target in TARGETS)
    assert qemu - pi == OWN["qemu"]
    assert pi - qemu == OWN["pi"]


def test_what_is_raspberry_pis_own_stands_in_one_layer() -> None:
    guilty = [p.name for p in LAYERS.glob("*.yaml") if "raspberrypi.com" in p.read_text()]
    assert guilty == ["lens-pi.yaml"]
    assert not any("raspberrypi" in mirror for mirror in definition("qemu").mirrors)


@pytest.mark.parametrize("path", sorted(LAYERS.glob("*.yaml")), ids=lambda p: p.name)
def test_hooks_touch_the_tree_alone_and_call_nothing_of_one_builder(path: Path) -> None:
    for hook in layering.read_layer(path).body.customize_hooks:
        assert not re.search(r"uchroot|igconf|IGconf|BDEBSTRAP", hook)
        for target in re.findall(r'(?:>|ln -sf \S+|mkdir -p|sed -i \S+)\s+"([^"]*)"', hook):
            assert target.startswith("$1/"), hook
        assert subprocess.run(["sh", "-nc", hook], check=False).returncode == 0


@pytest.mark.parametrize("target", TARGETS)
def test_nobody_can_log_in_and_nothing_swaps_or_remembers(target: str) -> None:
    packages = definition(target).packages
    for unwanted in ("openssh-server", "sudo", "dphys-swapfile", "rsyslog", "cloud-init", "apt"):
        assert unwanted not in packages


def test_the_archive_is_named_by_what_goes_into_it() -> None:
    one = definition("qemu")
    other = layering.Definition(
        layers=one.layers, suite=one.suite, mirrors=one.mirrors,
        packages=(*one.packages, "nano"), dpkgopts=one.dpkgopts, hooks=(),
    )  # fmt: skip
    without_hooks = layering.Definition(
        layers=(), suite=one.suite, mirrors=one.mirrors, packages=one.packages,
        dpkgopts=one.dpkgopts, hooks=(),
    )  # fmt: skip
    assert key(one) != key(other)
    assert key(one) == key(without_hooks)


def layer(folder: Path, name: str, requires: str = "", body: str = "packages: []") -> None:
    needs = f"# X-Env-Layer-Requires: {requires}\n" if requires else ""
    (folder / f"{name}.yaml").write_text(
        f"# METABEGIN\n# X-Env-Layer-Name: {name}\n{needs}# METAEND\n---\nmmdebstrap:\n  {body}\n"
    )


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([("a", "b", "suite: x"), ("b", "a", "mode: auto")], "require each other: a > b > a"),
        ([("a", "b", "suite: x")], "no layer is called b"),
        ([("a", "", "mode: auto")], "must name the suite, 0 do"),
        ([("a", "b", "suite: x"), ("b", "", "suite: y")], "must name the suite, 2 do"),
        ([("a", "", "packets: [x]")], "a.yaml: .*packets"),
        ([("a", "", "packages: x")], "a.yaml: .*packages"),
    ],
)
def test_layers_that_make_no_sense_are_told(
    layers: list[tuple[str, str, str]], reason: str, tmp_path: Path
) -> None:
    for name, requires, body in layers:
        layer(tmp_path, name, requires, body)
    image = layering.Image(
        info=layering.Info("x"), layer={"base": "a"}, slots="tryboot", root_mib=1
    )
    with pytest.raises(ConfigError, match=reason):
        resolve(image, read_layers(tmp_path))


def test_without_the_pis_archive_the_product_stops_with_one_line(tmp_path: Path) -> None:
    # A namespace of its own has no network at all.
    told = subprocess.run(
        ["unshare", "--map-root-user", "--net",
         sys.executable, "-m", "firmware.build", "--target", "pi", "--out", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == 69
    assert told.stdout == ""
    assert told.stderr.count("\n") == 1
    assert "no network to archive.raspberrypi.com" in told.stderr
