"""The report on a corpus as one HTML page that needs nothing from outside and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from speechkd.data.corpus import Problem, printable
from speechkd.data.report import Report

MAX_ROWS = 20_000
_BINS = 40
_TITLES = {
    "duration_s": ("Duration", "s"),
    "letters_per_s": ("Speaking rate", "letters/s"),
    "level_db": ("Speech level", "dB"),
}
_STYLE = """
:root{color-scheme:light dark;--error:#b3261e;--warning:#9a6700;--info:#0b57d0;--line:#8884;--soft:#8881}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:2rem;max-width:1150px}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}p{margin:.2rem 0}
a{color:inherit}.muted{opacity:.7}.error{color:var(--error)}.warning{color:var(--warning)}.info{color:var(--info)}
@media(prefers-color-scheme:dark){:root{--error:#ff8a80;--warning:#f2c14e;--info:#8ab4f8}}
.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin-top:1.2rem}
.card{flex:1 1 8rem;padding:.6rem 1rem;border:1px solid var(--line);border-radius:.5rem}
.card b{display:block;font-size:1.5rem;line-height:1.3}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:1rem}
figure{margin:0;padding:.6rem 1rem;border:1px solid var(--line);border-radius:.5rem}
figcaption{display:flex;justify-content:space-between;gap:.5rem;white-space:nowrap;font-size:.93rem}
svg{width:100%;height:auto;display:block}svg rect{fill:var(--info)}
svg text{font-size:11px;fill:currentColor;opacity:.75}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;vertical-align:top}
th{border-bottom:2px solid var(--line);white-space:nowrap}td{border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.w{overflow-wrap:anywhere}td.bar{width:35%}
.bar i{display:block;height:.7rem;margin-top:.4rem;background:currentColor;border-radius:2px;opacity:.75;min-width:2px}
.tools{display:flex;flex-wrap:wrap;gap:.6rem;margin-bottom:.6rem;align-items:center}
.tools input{flex:1 1 14rem}.tools input,.tools select{font:inherit;padding:.3rem .5rem}
#problems th{cursor:pointer;position:sticky;top:0;background:Canvas}#problems th::after{content:" ↕";opacity:.35}
#problems th[aria-sort=ascending]::after{content:" ↑";opacity:1}
#problems th[aria-sort=descending]::after{content:" ↓";opacity:1}
#problems{table-layout:fixed;font-size:.93rem}#problems td{overflow-wrap:anywhere}
"""
_SCRIPT = """
const table=document.getElementById('problems');
if(table){
const body=table.tBodies[0],rows=[...body.rows],shown=document.getElementById('shown');
const text=document.getElementById('text'),kind=document.getElementById('kind'),level=document.getElementById('level');
const filter=()=>{
  const words=text.value.toLowerCase();let count=0;
  for(const row of rows){
    const cells=row.cells;
    const fits=(!kind.value||cells[1].textContent===kind.value)&&(!level.value||cells[0].textContent===level.value)
      &&(!words||row.textContent.toLowerCase().includes(words));
    row.hidden=!fits;count+=fits;
  }
  shown.textContent=count+' of '+rows.length+' shown';
};
for(const field of [text,kind,level])field.addEventListener('input',filter);
const compare=new Intl.Collator(undefined,{numeric:true}).compare;
[...table.tHead.rows[0].cells].forEach((head,index)=>head.addEventListener('click',()=>{
  const up=head.getAttribute('aria-sort')!=='ascending';
  for(const each of table.tHead.rows[0].cells)each.removeAttribute('aria-sort');
  head.setAttribute('aria-sort',up?'ascending':'descending');
  rows.sort((a,b)=>(up?1:-1)*compare(a.cells[index].textContent,b.cells[index].textContent));
  body.append(...rows);
}));
for(const link of document.querySelectorAll('[data-kind]'))link.addEventListener('click',()=>{
  kind.value=link.dataset.kind;level.value='';text.value='';filter();
});
filter();
}
"""


def write_html(report: Report, path: Path) -> None:
    """Write the page. All names and texts of the corpus stand in it as text: what looks like markup stays text."""
    path.write_text(report_page(report), encoding="utf-8", errors="backslashreplace", newline="\n")


def report_page(report: Report) -> str:
    """The page: counts, kinds, histograms, speakers, and a table of problems to sort and filter."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    name = escape(printable(report.folder.absolute().name))
    parts = [
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Corpus report: {name}</title><style>{_STYLE}</style></head><body>",
        f'<h1>Corpus report: {name}</h1><p class="muted">{escape(report.summary())}</p>',
        _cards(report),
        _plots(report),
        _kinds(report),
        _speakers(report),
        _problems(report),
        f"<script>{_SCRIPT}</script></body></html>\n",
    ]
    return '<!doctype html><html lang="en"><head><meta charset="utf-8">' + "\n".join(parts)


def _cards(report: Report) -> str:
    seconds = sum(fact.duration_s for fact in report.facts.values())
    length = f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"
    counts = report.counts()
    cards = [("", f"{report.utterances:,}", "usable lines"), ("", length, "of sound")]
    cards += [(name, f"{counts[name]:,}", f"{name}s" if counts[name] != 1 else name) for name in counts]
    inner = "".join(f'<div class="card {style}"><b>{value}</b>{label}</div>' for style, value, label in cards)
    return f'<div class="cards">{inner}</div>'


def _kinds(report: Report) -> str:
    groups = report.by_kind()
    if not groups:
        return "<h2>Problems</h2><p>None.</p>"
    most = max(len(problems) for _, _, problems in groups)
    rows = [
        f'<tr><td class="{severity}">{severity}</td>'
        f'<td><a href="#list" data-kind="{escape(kind)}">{escape(kind)}</a></td>'
        f'<td class="n">{len(problems):,}</td>'
        f'<td class="bar {severity}"><i style="width:{100 * len(problems) / most:.1f}%"></i></td>'
        f"<td>{escape(_advice(problems))}</td></tr>"
        for severity, kind, problems in groups
    ]
    head = '<th></th><th>kind</th><th class="n">number</th><th></th><th>what to do</th>'
    return f"<h2>Kinds of problems</h2><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _advice(problems: Sequence[Problem]) -> str:
    """What to do about all of a kind; nothing when each needs something else."""
    return problems[0].todo if len({problem.todo for problem in problems}) == 1 else ""


def _plots(report: Report) -> str:
    figures = [
        _histogram(values, *_TITLES[name]) for name, values in report.measures().items() if name in _TITLES and values
    ]
    return f'<h2>Recordings</h2><div class="plots">{"".join(figures)}</div>' if figures else ""


def _histogram(values: Sequence[float], title: str, unit: str) -> str:
    """The middle 99 % of the values in bars; the caption gives the ends of all."""
    low, high = (float(each) for each in np.percentile(values, (0.5, 99.5)))
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(values, low, high), bins=_BINS, range=(low, high))
    width, height, most = 320 / _BINS, 110, max(1, int(counts.max()))
    bars = "".join(
        f'<rect x="{index * width:.1f}" y="{height * (1 - count / most):.1f}" width="{width - 0.8:.1f}" '
        f'height="{height * count / most:.1f}"><title>{edges[index]:.2f} to {edges[index + 1]:.2f}: {count}</title>'
        "</rect>"
        for index, count in enumerate(counts)
        if count
    )
    ends = (
        f'<text x="0" y="{height + 14}">{low:.1f}</text><text x="160" y="{height + 14}" text-anchor="middle">'
        f'{(low + high) / 2:.1f} {unit}</text><text x="320" y="{height + 14}" text-anchor="end">{high:.1f}</text>'
    )
    line = f'<path d="M0 {height}.5H320" stroke="currentColor" opacity=".4"/>'
    svg = f'<svg viewBox="0 0 320 {height + 20}" role="img" aria-label="{title}">{bars}{line}{ends}</svg>'
    note = f"{min(values):.1f} … <b>{float(np.median(values)):.1f}</b> … {max(values):.1f} {unit}"
    return f'<figure><figcaption>{title} <span class="muted">{note}</span></figcaption>{svg}</figure>'


def _speakers(report: Report) -> str:
    table = report.speakers()
    if not any(table):
        return ""
    rows = "".join(
        f'<tr><td class="w"><bdi>{escape(printable(name) or "(not named)")}</bdi></td>'
        f'<td class="n">{row["utterances"]:,.0f}</td><td class="n">{row["duration_s"] / 60:,.1f}</td>'
        f'<td class="n">{row["problems"]:,.0f}</td></tr>'
        for name, row in table.items()
    )
    head = '<th>speaker</th><th class="n">utterances</th><th class="n">minutes</th><th class="n">problems</th>'
    inner = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    state = " open" if len(table) <= 30 else ""
    return f"<h2>Speakers</h2><details{state}><summary>{len(table)} speakers</summary>{inner}</details>"


def _problems(report: Report) -> str:
    if not report.problems:
        return ""
    shown = report.problems[:MAX_ROWS]
    rows = "".join(
        f'<tr><td class="{each.severity}">{each.severity}</td><td>{escape(each.kind)}</td>'
        f"<td><bdi>{_text(each.id)}</bdi></td><td><bdi>{_text(each.where)}</bdi></td>"
        f"<td><bdi>{_text(each.what)}</bdi></td></tr>"
        for each in shown
    )
    kinds = _options(sorted({each.kind for each in shown}))
    levels = _options([str(severity) for severity in dict.fromkeys(each.severity for each in shown)])
    more = (
        f"<p>The first {MAX_ROWS:,} of {len(report.problems):,}; the JSON has all.</p>"
        if len(report.problems) > MAX_ROWS
        else ""
    )
    columns = '<col style="width:5.2rem"><col style="width:11rem"><col style="width:23%"><col style="width:22%"><col>'
    head = "".join(f"<th>{name}</th>" for name in ("", "kind", "id", "where", "what"))
    return (
        f'<h2 id="list">All problems</h2>{more}<div class="tools"><input id="text" type="search" placeholder="find …">'
        f'<select id="level"><option value="">all levels</option>{levels}</select>'
        f'<select id="kind"><option value="">all kinds</option>{kinds}</select>'
        f'<span id="shown" class="muted"></span></div><table id="problems"><colgroup>{columns}</colgroup>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _text(value: str) -> str:
    """Text of the corpus for the page: escaped, and without characters that would reorder what stands around it."""
    shown = printable(value)
    return escape(shown[:500] + (" …" if len(shown) > 500 else ""))


def _options(values: Iterable[str]) -> str:
    return "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in values)
