"""All results as one page that needs nothing else: ratios first, then plots, then figures."""

from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.plots import draw, gauge
from tests.benchmarks.results import Ratio, Result, said

MINUTE_S: Final = 60

STYLE: Final = (
    """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #59636e; --paper: #f6f7f8; --card: #fff;
  --line: #dde1e5; --better: #0072b2; --worse: #b4530a; --bar: #b3261e;
  --c0: #0072b2; --c1: #c24e00; --c2: #00805c; --c3: #a8488a; --c4: #8a6100 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5b1; --paper: #14171a;
  --card: #1d2125; --line: #343b42; --better: #56b4e9; --worse: #f0984a; --bar: #ff8a80;
  --c0: #56b4e9; --c1: #f0984a; --c2: #3fcf9f; --c3: #e59acb; --c4: #e6c34d } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 16px }
header { padding-top: 28px } h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 6px }
h2 { font-size: 1.25rem; margin: 44px 0 4px } p { margin: 4px 0 12px; max-width: 75ch }
.soft, footer { color: var(--soft); font-size: .9rem }
.table { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  margin: 12px 0; overflow: hidden }
.row { display: grid; grid-template-columns: minmax(0, 2.2fr) 5.2em minmax(90px, 1.2fr) minmax(0,
  1.7fr); gap: 2px 16px; align-items: center; padding: 9px 14px; border-top: 1px solid var(--line) }
.row:first-child { border-top: 0 } .row.head { color: var(--soft); font-size: .82rem }
.row b { font-size: 1.1rem; font-variant-numeric: tabular-nums; text-align: right; white-space:
  nowrap } .row .of { font-size: .88rem; color: var(--soft) }
.row.group { display: block; background: var(--paper); font-weight: 600; padding-top: 12px }
.row small { display: block; font-size: .78rem; opacity: .85 }
.held, .missed { font-size: .8rem; white-space: nowrap } .missed { color: var(--bar); font-weight:
  600 } .held { color: var(--soft) }
.gauge { width: 100%; height: 14px; display: block } .gauge .rail { fill: var(--line) }
.gauge .better { fill: var(--better) } .gauge .worse { fill: var(--worse) }
.gauge .neutral { fill: var(--soft) }
.gauge .one { stroke: var(--soft) } .bar { stroke: var(--bar); stroke-dasharray: 4 3 }
.gauge .bar { stroke-width: 2; stroke-dasharray: none }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr));
  gap: 14px; margin: 12px 0 }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px 12px 8px; max-width: 560px } figcaption { font-weight: 600; font-size: .95rem }
.plot { width: 100%; height: auto; display: block }
.plot text { font-size: 11px; fill: var(--soft) }
.plot .grid { stroke: var(--line) } .plot .tick { stroke: var(--soft) }
.plot .bartext { fill: var(--bar) } figure ul { list-style: none; display: flex; flex-wrap: wrap;
  gap: 2px 14px; margin: 4px 0 0; padding: 0; font-size: .82rem }
figure li svg { width: 26px; height: 10px; margin-right: 5px }
polyline { fill: none; stroke-width: 2 } li line { stroke-width: 2.5 } """
    + " ".join(
        f"polyline.s{n}, line.s{n} {{ stroke: var(--c{n}) }} circle.s{n} {{ fill: var(--c{n}) }}"
        for n in range(5)
    )
    + """
dl { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; margin: 12px 0; padding: 4px 14px }
dt, dd { margin: 0; padding: 5px 0; border-top: 1px solid var(--line); font-size: .92rem }
dt:first-of-type, dd:first-of-type { border-top: 0 } dd { text-align: right; padding-left: 16px;
  font-variant-numeric: tabular-nums }
code { font-size: .86em; overflow-wrap: anywhere } summary { cursor: pointer; color: var(--soft) }
nav { font-size: .9rem; margin: 10px 0 } nav a { margin-right: 14px; white-space: nowrap }
a { color: var(--better) } footer { padding-top: 36px; padding-bottom: 40px }
@media (max-width: 640px) {
  .row { grid-template-columns: minmax(0, 1fr) auto; padding: 10px 12px }
  .row .of, .row .gauge { grid-column: 1 / -1 } .row.head { display: none }
  h1 { font-size: 1.4rem } }
"""
)


def page(results: Sequence[Result], missing: Sequence[str]) -> str:
    """The page; ``missing`` are lines on parts that have no result."""
    quick = any(r.quick for r in results)
    rows = "".join(_group(result) for result in results if result.ratios)
    nav = " ".join(f'<a href="#{r.part}">{escape(r.title)}</a>' for r in results)
    absent = "".join(f"<li>{escape(line)}</li>" for line in missing)
    kind = "Quick runs: small sizes, rough figures. " if quick else ""
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Benchmarks</title><style>{STYLE}</style>\n"
        f"<header><h1>Benchmarks</h1><p>{kind}Each ratio is ours over another's, measured in the "
        "same run on the same machine, so that it means something elsewhere too. Absolute figures "
        "belong to the machine that is named.</p>"
        f'<p class="soft">{escape(_machines(results))}</p><nav>{nav}</nav></header>\n'
        '<main><h2>Ratios</h2><p class="soft">The stretch runs from a thirtieth to thirty times, 1 '
        "in the middle. Blue: better than what it is compared with, or its bar holds; orange: not; "
        "grey: growth, or a bound that nobody passes; red line: the bar that must hold.</p>"
        f'<div class="table">{_HEAD}{rows}</div>'
        f"{f'<ul>{absent}</ul>' if absent else ''}\n"
        f"{''.join(map(_section, results))}</main>\n"
        '<footer>Made by <code>make bench</code>. "No record" is not "no camera".</footer></html>\n'
    )


_HEAD: Final = (
    '<div class="row head"><span>compared</span><span style="text-align:right">ratio</span>'
    "<span>on a scale</span><span>ours against theirs</span></div>"
)


def _group(result: Result) -> str:
    head = f'<div class="row group"><a href="#{result.part}">{escape(result.title)}</a></div>'
    return head + "".join(_row(r, held=result.judged(r)) for r in result.ratios)


def _row(r: Ratio, *, held: bool | None) -> str:
    way = "\u2191 more is better" if r.good == "high" else "\u2193 less is better"
    bar = ""
    if r.bar is not None:
        word, kind = ("missed", "missed") if held is False else ("holds", "held")
        word = "not judged: the machine was busy" if held is None else word
        bar = f' <span class="{kind}">bar {said(r.bar)} {word}</span>'
    return (
        f'<div class="row"><span>{escape(r.name)}</span><b>{said(r.value)}</b>{gauge(r)}'
        f'<span class="of">{escape(r.ours)} / {escape(r.theirs)}{bar}<small>{way}</small></span>'
        "</div>"
    )


def _section(r: Result) -> str:
    plots = "".join(map(draw, r.plots))
    figures = "".join(f"<dt>{escape(f.name)}</dt><dd>{escape(f.value)}</dd>" for f in r.figures)
    listed = f"<details><summary>absolute figures</summary><dl>{figures}</dl></details>"
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in r.notes)
    length = f"{r.seconds:.0f} s" if r.seconds < 2 * MINUTE_S else f"{r.seconds / MINUTE_S:.0f} min"
    return (
        f'<section id="{r.part}"><h2>{escape(r.title)}</h2><p>{escape(r.says)}</p>'
        f"{f'<div class=plots>{plots}</div>' if plots else ''}{notes}"
        f"{listed if figures else ''}"
        f'<p class="soft"><code>{escape(r.command)}</code> · {r.day} · {length} · '
        f"{escape(_machine(r))}</p></section>\n"
    )


def _machine(r: Result) -> str:
    if not r.machine:
        return "no machine named"
    m = r.machine
    busy = f"load before {m.load:g}" + (" (busy: times are too long)" if m.busy else "")
    return f"{m.cpu}, {m.cores} cores, {m.memory_gb} GB, Python {m.python}, {busy}"


def _machines(results: Sequence[Result]) -> str:
    names = {f"{r.machine.cpu}, {r.machine.cores} cores" for r in results if r.machine}
    days = sorted({r.day for r in results})
    return (
        "Machine: "
        + "; ".join(sorted(names))
        + (f". {' to '.join(dict.fromkeys([days[0], days[-1]]))}." if days else "")
    )
