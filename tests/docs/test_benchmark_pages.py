"""What the pages on benchmarks and scale say is what the programs say."""

import re
from pathlib import Path

import msgspec
import pytest

from tests.benchmarks import planned, results
from tests.benchmarks.__main__ import PARTS, summary, write
from tests.benchmarks.plots import Axis
from tests.benchmarks.results import Figure, Machine, Plot, Result, Series, ratio
from tests.helpers.pages import ROOT, text_of


def test_the_plan_for_a_million_scanners_is_the_scripts() -> None:
    assert f"```text\n{planned.text(1e6)}\n```" in text_of("docs/scale.md")


def test_the_machine_of_the_plan_is_named() -> None:
    assert planned.MACHINE in text_of("docs/scale.md").replace("\n", " ")


def test_each_measured_cost_stands_on_the_page() -> None:
    page = text_of("docs/scale.md")
    for field in planned.MEASURED.__struct_fields__:
        value = getattr(planned.MEASURED, field)
        assert re.search(rf"\| {value:,g} [a-zA-Z]+ \|", page), (field, value)


def test_more_scanners_take_more_of_everything() -> None:
    few, many = (planned.plan(n, planned.CAREFUL) for n in (1e4, 1e6))
    assert all(getattr(many, f) == pytest.approx(100 * getattr(few, f)) for _, f in planned.ROWS)


def test_every_part_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", text_of("docs/benchmarks.md"), re.MULTILINE)) == set(
        PARTS
    )


def made_up() -> Result:
    """Of no machine at all."""
    line = Series("ours & theirs", [(1.0, 2.0), (1000.0, 0.5)])
    return Result(
        part="fusion",
        title="Fusion <1>",
        says="Nothing.",
        ratios=[
            ratio("kept / wanted", 1.0, 2.0, "m", bar=0.8),
            ratio("used / allowed", 3.0, 4.0, "MB", good="low", bar=1.0),
        ],
        figures=[Figure(name="seconds", value="2 s")],
        plots=[Plot(title="A plot", x="n", y="s", series=[line], log_x=True, log_y=True, bar=1.0)],
        machine=Machine.here(),
        quick=True,
    )


def test_results_make_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    results.save(made_up(), results.path_of("fusion", quick=True, folder=tmp_path))
    page = write(tmp_path, list(PARTS), quick=True).read_text()
    assert not re.search(r"<script|<link|src=|https?://", page)
    assert page.index("kept / wanted") < page.index("<figure>") < page.index("absolute figures")
    assert "Fusion &lt;1&gt;" in page
    assert "Fusion <1>" not in page
    assert "bar 0.8 missed" in page
    assert "bar 1 holds" in page
    assert "privacy: no result here; run `make bench ARGS=--quick`" in page
    assert Machine.here().cpu in page
    assert f"{Machine.here().cores} cores" in page


def test_a_missed_bar_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results.save(made_up(), results.path_of("fusion", quick=True, folder=tmp_path))
    assert summary(tmp_path, list(PARTS), quick=True) == 1
    assert "bar 0.8 MISSED" in capsys.readouterr().out


@pytest.mark.parametrize(("load", "held"), [(0.3, False), (9.0, None)])
def test_times_of_a_busy_machine_are_not_judged(load: float, *, held: bool | None) -> None:
    result = made_up()
    result.machine = msgspec.structs.replace(Machine.here(), cores=2, load=load)
    timed = msgspec.structs.replace(result.ratios[0], wall=True)
    assert result.judged(timed) is held
    assert result.judged(result.ratios[0]) is False


def test_what_cannot_be_read_counts_as_not_there(tmp_path: Path) -> None:
    path = results.path_of("fusion", quick=False, folder=tmp_path)
    path.parent.mkdir()
    path.write_text('{"part": 1}')
    assert results.load(path) is None
    assert results.load(tmp_path / "none.json") is None


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "values", [[1.0], [0.0, 0.0], [3.0, 4.0], [0.001, 7e6], [10_000.0, 2e6], [95.0, 105.0]]
)
def test_an_axis_holds_its_values_and_has_few_round_ticks(
    values: list[float], *, log: bool
) -> None:
    axis = Axis(values, 0.0, 100.0, log=log)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))
    shown = [v for v in values if v > 0 or not log]
    places = [axis.at(v) for v in shown]
    assert places == sorted(places)
    assert all(axis.low <= v <= axis.high for v in shown)


def test_make_bench_is_told_by_help() -> None:
    assert '@echo "make bench ' in (ROOT / "Makefile").read_text()
