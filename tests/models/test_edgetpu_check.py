"""The check against what the Edge TPU compiler was seen to do.

The pairs of a model and its compiled form lie in the repositories google-coral/test_data and
google-coral/edgetpu and are not copied here: of each sort of pair the part that matters is drawn as
a small graph, with the operators that the compiled file still has beside ``edgetpu-custom-op``. The
sizes of the drawn layers are made up where they do not matter. Refusals are those of issues #631,
#845 and #879 of google-coral/edgetpu and #71 of google-coral/libedgetpu; the two branches are those
of tiny_yolo_edgetpu.log in rajansaini691/retinanet-model-tflite.
"""

import json
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.edgetpu_check import MAX_PARAMETER_BYTES, Report, check, main, objections
from models.flatbuffer import UnreadableError, load
from tests.helpers.tflite_file import Constant, Op, write

DETECTOR = Path(__file__).parents[2] / "models" / "detector.tflite"
IMAGE = {"image": ((1, 32, 32, 3), "int8")}
BIAS = Constant((8,), "int32")


def conv(entry: str, output: str, shape: tuple[int, ...] = (1, 16, 16, 8), version: int = 3) -> Op:
    return Op(
        "CONV_2D", (entry, Constant((8, 3, 3, 8)), BIAS), output, shape, version=version
    )  # fmt: skip


def sizes(*values: int) -> Constant:
    return Constant((len(values),), "int32", values)


def int32(name: str, *inputs: str | Constant, output: str, shape: tuple[int, ...] = (1, 17)) -> Op:
    return Op(name, inputs, output, shape, "int32")


@dataclass(frozen=True)
class Pair:
    """A drawn model: operators, and those that the compiler left, by name."""

    name: str
    operators: tuple[Op, ...]
    left: dict[str, int]
    inputs: tuple[tuple[str, tuple[tuple[int, ...], str]], ...] = tuple(IMAGE.items())


PAIRS = [
    Pair(
        "a classifier in uint8",
        (
            conv("image", "a"),
            Op("AVERAGE_POOL_2D", ("a",), "b", (1, 1, 1, 8), version=2),
            Op("RESHAPE", ("b", sizes(1, 8)), "c", (1, 8)),
            Op("FULLY_CONNECTED", ("c", Constant((8, 8)), BIAS), "d", (1, 8), version=4),
            Op("SOFTMAX", ("d",), "e", (1, 8), version=2),
        ),
        {},
    ),
    Pair(
        "float at both ends: QUANTIZE before the first mapped operator, DEQUANTIZE after the last",
        (
            Op("QUANTIZE", ("image",), "a", (1, 32, 32, 3)),
            conv("a", "b"),
            Op("DEQUANTIZE", ("b",), "c", (1, 16, 16, 8), "float32", version=2),
        ),
        {"QUANTIZE": 1, "DEQUANTIZE": 1},
        (("image", ((1, 32, 32, 3), "float32")),),
    ),
    Pair(
        "posenet: its decoder is a custom operator",
        (
            conv("image", "heat"),
            conv("image", "offsets"),
            Op("PosenetDecoderOp", ("heat", "offsets"), "poses", (1, 10, 17, 2), "float32"),
        ),
        {"PosenetDecoderOp": 1},
    ),
    Pair(
        "ssd: 114 of 115 mapped, the last one is custom",
        (
            conv("image", "0"),
            *(conv(f"{n}", f"{n + 1}") for n in range(113)),
            Op("TFLite_Detection_PostProcess", ("112", "113"), "boxes", (1, 20, 4), "float32"),
        ),
        {"TFLite_Detection_PostProcess": 1},
    ),
    Pair(
        "movenet: CAST and QUANTIZE lead, whole numbers of 32 bits end it",
        (
            Op("CAST", ("image",), "float", (1, 32, 32, 3), "float32"),
            Op("QUANTIZE", ("float",), "quantised", (1, 32, 32, 3)),
            conv("quantised", "heat"),
            Op("MUL", ("heat", "heat"), "weighted", (1, 16, 16, 8), version=2),
            Op("RESHAPE", ("weighted", sizes(1, 256, 8)), "flat", (1, 256, 8)),
            int32("ARG_MAX", "flat", sizes(1), output="peak"),
            int32("FLOOR_DIV", "peak", sizes(16), output="row"),
            int32("MUL", "row", sizes(16), output="start"),
            int32("SUB", "peak", "start", output="column"),
            int32("PACK", "row", "column", output="place", shape=(1, 17, 2)),
            int32("UNPACK", "place", output="one"),
            Op("GATHER_ND", ("heat", "place"), "scores", (1, 17)),
            Op("DEQUANTIZE", ("scores",), "real", (1, 17), "float32"),
        ),
        {"CAST": 1, "QUANTIZE": 1, "ARG_MAX": 1, "FLOOR_DIV": 1, "MUL": 1, "SUB": 1, "PACK": 1,
         "UNPACK": 1, "GATHER_ND": 1, "DEQUANTIZE": 1},
        (("image", ((1, 32, 32, 3), "uint8")),),
    ),
    Pair(
        "deeplab: the pooled branch is resized from 1 x 1, all after it stays too",
        (
            conv("image", "features", (1, 33, 33, 8)),
            Op("AVERAGE_POOL_2D", ("features",), "pooled", (1, 1, 1, 8), version=2),
            conv("pooled", "context", (1, 1, 1, 8)),
            Op("RESIZE_BILINEAR", ("context", sizes(33, 33)), "wide", (1, 33, 33, 8), version=3),
            conv("features", "near", (1, 33, 33, 8)),
            Op("CONCATENATION", ("wide", "near"), "both", (1, 33, 33, 16), version=2),
            conv("both", "classes", (1, 33, 33, 8)),
            Op("RESIZE_BILINEAR", ("classes", sizes(513, 513)), "full", (1, 513, 513, 8)),
            Op("ARG_MAX", ("full", sizes(3)), "map", (1, 513, 513), "int64"),
        ),
        {"RESIZE_BILINEAR": 2, "CONCATENATION": 1, "CONV_2D": 1, "ARG_MAX": 1},
    ),
    Pair(
        "deeplab without that branch: only the last resize and what follows",
        (
            conv("image", "classes", (1, 33, 33, 8)),
            Op("RESIZE_BILINEAR", ("classes", sizes(65, 65)), "wider", (1, 65, 65, 8)),
            Op("RESIZE_BILINEAR", ("wider", sizes(513, 513)), "full", (1, 513, 513, 8)),
            Op("ARG_MAX", ("full", sizes(3)), "map", (1, 513, 513), "int64"),
        ),
        {"RESIZE_BILINEAR": 1, "ARG_MAX": 1},
    ),
    Pair(
        "tiny yolo: one branch goes on behind an operator left, the other is mapped to its end",
        (
            conv("image", "stem"),
            conv("stem", "first"),
            conv("stem", "narrow"),
            Op("RESIZE_NEAREST_NEIGHBOR", ("narrow", sizes(32, 32)), "wide", (1, 32, 32, 8),
               version=3),
            Op("CONCATENATION", ("wide", "wide"), "both", (1, 32, 32, 16), version=2),
            conv("both", "x"),
            conv("x", "second"),
            conv("first", "end"),
        ),
        {"RESIZE_NEAREST_NEIGHBOR": 1, "CONCATENATION": 1, "CONV_2D": 2},
    ),
    Pair(
        "UpSampling2D of Keras: RESHAPE and TILE of five dimensions",
        (
            conv("image", "small", (1, 10, 10, 8)),
            Op("RESHAPE", ("small", sizes(1, 10, 10, 1, 8)), "five", (1, 10, 10, 1, 8)),
            Op("TILE", ("five", sizes(1, 1, 1, 2, 1)), "twice", (1, 10, 10, 2, 8)),
            Op("RESHAPE", ("twice", sizes(1, 10, 20, 8)), "wide", (1, 10, 20, 8)),
            conv("wide", "last"),
        ),
        {"RESHAPE": 2, "TILE": 1, "CONV_2D": 1},
    ),
]  # fmt: skip


def judged(tmp_path: Path, *operators: Op, **options: object) -> Report:
    return check(write(tmp_path / "drawn.tflite", IMAGE, operators, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_what_the_compiler_left_is_foretold(pair: Pair, tmp_path: Path) -> None:
    report = check(write(tmp_path / "drawn.tflite", dict(pair.inputs), pair.operators))
    assert report.refusals == ()
    assert Counter(verdict.name for verdict in report.left) == pair.left
    assert report.status == (1 if pair.left else 0)


@pytest.mark.parametrize(
    ("name", "version"), [("CONV_2D", 6), ("QUANTIZE", 3), ("TRANSPOSE_CONV", 4), ("EXP", 2)]
)
def test_a_version_that_the_compiler_cannot_read_refuses_the_file(
    name: str, version: int, tmp_path: Path
) -> None:
    op = Op(name, ("image",), "a", (1, 32, 32, 3), version=version)
    report = judged(tmp_path, op)
    assert report.status == 2
    assert report.refusals == (f"1 {name} of version {version}, which the compiler cannot read",)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"outside": True}, "outside of the flatbuffer"),
        ({"graphs": 2}, "2 graphs"),
        ({"open_input": (1, -1, -1, 3)}, "image has no fixed size"),
    ],
)
def test_a_file_of_a_form_that_it_cannot_take_is_refused(
    options: dict[str, object], reason: str, tmp_path: Path
) -> None:
    report = judged(tmp_path, conv("image", "a"), **options)
    assert report.status == 2
    assert reason in report.summary


def test_a_graph_without_an_operator_is_refused(tmp_path: Path) -> None:
    report = judged(tmp_path, outputs=["image"])
    assert (report.status, report.refusals) == (2, ("no operator to map",))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("edgetpu-custom-op", "compiled already"), ("FlexSplitV", "FlexSplitV needs TensorFlow")],
)
def test_custom_operators_that_refuse_the_file(name: str, reason: str, tmp_path: Path) -> None:
    assert reason in judged(tmp_path, Op(name, ("image",), "a", (1, 9))).summary


def test_an_open_batch_is_taken_as_one_with_a_warning(tmp_path: Path) -> None:
    report = judged(tmp_path, conv("image", "a"), open_input=(-1, 32, 32, 3))
    assert report.status == 0
    assert "batch is open" in report.warnings[0]


RELU, TANH = 1, 4
INT8, FLOAT, INT4 = Constant((8,)), Constant((8,), "float32"), Constant((8,), "int4")
LIMITED = [
    (conv("image", "a", version=4), "version 4, the newest seen mapped is 3"),
    (Op("MAX_POOL_2D", ("image",), "a", (1, 9, 9, 3), options={5: ("<b", RELU)}), "activation"),
    (Op("CONV_2D", ("image", "image"), "a", (1, 9, 9, 3)), "input 1 is not constant"),
    (Op("CONV_2D", ("image", INT8), "a", (1, 9, 9, 3), options={3: ("<b", TANH)}), "no clipping"),
    (Op("CONV_2D", ("image", INT8), "a", (1, 9, 9, 3), options={4: ("<i", 2)}), "dilation"),
    (Op("CONV_2D", ("image", FLOAT), "a", (1, 9, 9, 3)), "weights of float32"),
    (Op("DEPTHWISE_CONV_2D", ("image", INT4), "a", (1, 9, 9, 3)), "weights of int4"),
    (Op("PRELU", ("image", BIAS), "a", (1, 9, 9, 3)), "weights of int32"),
    (Op("CONV_2D", ("image", INT8, INT8), "a", (1, 9, 9, 3)), "bias of int8"),
    (Op("TRANSPOSE_CONV", (BIAS, INT8, "image", FLOAT), "a", (1, 9, 9, 3)), "bias of float32"),
    (Op("CONCATENATION", ("image", "image", INT8), "a", (1, 9, 9, 3)), "more than one other"),
    (Op("CONCATENATION", ("image", Constant((2,), values=(7, 5))), "a", (1, 9, 9, 3)), "not zero"),
    (Op("FULLY_CONNECTED", ("image", INT8), "a", (4, 9)), "more than one dimension"),
    (Op("MEAN", ("image", sizes(3)), "a", (1, 32, 32)), "no multiple of 4"),
    (Op("SUM", ("image", sizes(0)), "a", (32, 32, 3)), "along the batch"),
    (Op("PAD", ("image", sizes(1, 0, 0, 0, 0, 0, 0, 0)), "a", (1, 9, 9, 3)), "pads the batch"),
    (Op("PACK", ("image", "image"), "a", (9, 9, 3)), "packs along the batch"),
    (Op("SOFTMAX", ("image",), "a", (1, 32, 32, 3)), "more than one dimension"),
    (Op("STRIDED_SLICE", ("image", *3 * (sizes(0, 0, 0, 2),)), "a", (1, 9, 9, 3)), "strides"),
    (Op("PRELU", ("image", Constant((32, 32, 3))), "a", (1, 9, 9, 3)), "alpha"),
    (Op("ADD", ("image", "image"), "a", (2, 32, 32, 3)), "innermost dimensions"),
    (Op("ADD", ("image", "image"), "a", (1, 32, 32, 3), "int16"), "works on int16"),
    (Op("ADD", ("image", "image"), "a", (1, 32, 32, 3), "uint8"), "works on int8 and uint8"),
    (Op("ADD", ("image", FLOAT), "a", (1, 32, 32, 3)), "works on float32 and int8"),
    (Op("SQUEEZE", ("image",), "a", (32, 3, 32)), "removes a dimension behind"),
    (Op("LEAKY_RELU", ("image",), "a", (1, 32, 32, 3)), "not supported"),
]


@pytest.mark.parametrize(("operator", "reason"), LIMITED, ids=lambda case: str(case)[:60])
def test_a_limit_is_named(operator: Op, reason: str, tmp_path: Path) -> None:
    (verdict,) = judged(tmp_path, operator).verdicts
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "operator",
    [
        Op("MEAN", ("image", sizes(1, 2)), "a", (1, 3), version=2),
        Op("PACK", ("image", "image"), "a", (1, 2, 32, 3), options={1: ("<i", 1)}),
        Op("PAD", ("image", sizes(0, 0, 0, 1, 0, 1, 0, 0)), "a", (1, 33, 33, 3)),
        Op("CONCATENATION", ("image", Constant((1, 32, 32, 1))), "a", (1, 32, 32, 4)),
        Op("ADD", ("image", "image"), "a", (1, 32, 32, 3), options={0: ("<b", RELU)}),
        Op("QUANTIZE", ("image",), "a", (1, 32, 32, 3), "uint8"),
        Op("SQUEEZE", ("image",), "a", (32, 32, 3)),
        Op("CONV_2D", ("image", Constant((8,), "uint8"), BIAS), "a", (1, 9, 9, 3)),
    ],
    ids=lambda operator: f"{operator.name} to {operator.type}",
)
def test_within_its_limits_an_operator_is_mapped(operator: Op, tmp_path: Path) -> None:
    assert judged(tmp_path, operator).status == 0


def test_parameters_are_counted_from_constants_and_too_many_are_a_warning(tmp_path: Path) -> None:
    bias = Constant((64,), "int32")
    op = Op("CONV_2D", ("image", Constant((64, 3, 3, 3)), bias), "a", (1, 32, 32, 64))
    assert judged(tmp_path, op).parameter_bytes == 64 * 27 + 64 * 4
    large = Op("CONV_2D", ("image", Constant((8, 1024, 1024)), BIAS), "a", (1, 32, 32, 8))
    report = judged(tmp_path, large)
    assert report.parameter_bytes > MAX_PARAMETER_BYTES
    assert report.status == 0
    assert "1024 KiB of parameters do not fit" in report.warnings[-1]


def test_all_of_the_shipped_detector_is_mapped() -> None:
    report = check(DETECTOR)
    assert report.left == []
    assert report.status == 0
    assert len(report.verdicts) > 50
    assert 900_000 < report.parameter_bytes < MAX_PARAMETER_BYTES
    assert objections(DETECTOR) == []


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\x08\0\0\0TFL3" + b"\xff" * 40])
def test_another_file_is_one_line_that_names_it(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.tflite"
    file.write_bytes(content)
    assert main([str(file)]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert "other.tflite: " in line
    assert ".tflite file" in line.partition(": ")[2]


def test_a_cut_file_is_never_a_traceback(tmp_path: Path) -> None:
    whole, file = DETECTOR.read_bytes(), tmp_path / "cut.tflite"
    for share in range(1, 20):
        file.write_bytes(whole[: len(whole) * share // 20])
        with pytest.raises(UnreadableError, match=r"cut\.tflite"):
            check(file)


@pytest.mark.parametrize("number", [-2, 5, 1 << 20])
def test_a_tensor_that_is_not_there_makes_a_damaged_file(number: int, tmp_path: Path) -> None:
    file = write(tmp_path / "drawn.tflite", IMAGE, [conv("image", "a")])
    inputs = struct.pack("<4i", 3, 0, 1, 2)  # the vector of the operator's inputs
    content = file.read_bytes()
    assert content.count(inputs) == 1
    file.write_bytes(content.replace(inputs, struct.pack("<4i", 3, 0, 1, number)))
    with pytest.raises(UnreadableError, match="a tensor is named that is not there"):
        check(file)


def test_damage_that_only_the_check_meets_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four bytes that call themselves a number of eight."""
    axis = Constant((1,), "int64", (1,))
    operators = [Op("MEAN", ("image", axis), "a", (1, 32, 3))]
    assert main([str(write(tmp_path / "drawn.tflite", IMAGE, operators))]) == 2
    assert "drawn.tflite: a damaged .tflite file" in capsys.readouterr().out


def test_options_that_lie_outside_of_the_file_are_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operators = [Op("PACK", ("image", "image"), "a", (1, 2, 32, 3), options={1: ("<i", 1)})]
    file = write(tmp_path / "drawn.tflite", IMAGE, operators)
    options = load(file).operations[0].options
    assert options is not None
    content = bytearray(file.read_bytes())
    struct.pack_into("<i", content, options.at, 1 << 30)
    file.write_bytes(content)
    assert main([str(file)]) == 2
    assert "drawn.tflite: a damaged .tflite file" in capsys.readouterr().out


def test_it_prints_neighbours_together_and_json_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operators = (conv("image", "a"), conv("a", "b"), Op("FLOOR", ("b",), "c", (1, 16, 16, 8)))
    file = str(write(tmp_path / "drawn.tflite", IMAGE, operators))
    assert main([file]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["0-1", "CONV_2D", "v3", "1x16x16x8", "TPU"]
    assert second.split(maxsplit=4)[1:] == [
        "FLOOR",
        "v1",
        "1x16x16x8",
        "CPU: operator not supported",
    ]
    assert last.startswith("2 of 3 operators on the Edge TPU")
    assert main([file, "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [row["on"] for row in printed["operators"]] == ["TPU", "TPU", "CPU"]
    assert printed["status"] == 1


def test_the_compiler_is_run_on_a_file_that_it_can_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "detector.tflite"
    model.write_bytes((Path(__file__).parents[2] / "models" / "detector.tflite").read_bytes())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="edgetpu_compiler: not found"):
        main([str(model), "--compile"])
    compiler = tmp_path / "edgetpu_compiler"
    compiler.write_text('#!/bin/sh\necho "$@" > "$3/said"\n')
    compiler.chmod(0o755)
    assert main([str(model), "--compile"]) == 0
    assert (tmp_path / "said").read_text().split()[-1] == str(model)
