"""A campaign's report as a page of its own: nothing outside it is needed, no script, no network."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape

from app.core.campaigns.report import Report, Step

_WIDTH, _HEIGHT = 900, 150  # of a chart, in its own units
_BELOW = 22  # for the times under it

_STYLE = """
:root { color-scheme: light dark; --sent: #2563eb; --left: #dc2626; }
@media (prefers-color-scheme: dark) { :root { --sent: #7aa2ff; --left: #ff7b72; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; margin-bottom: 0 } h2 { margin-top: 2.5rem }
table { border-collapse: collapse; min-width: 20rem }
th, td { text-align: left; padding: .3rem 2rem .3rem 0; border-bottom: 1px solid #8884 }
th { font-weight: normal } td { text-align: right; font-variant-numeric: tabular-nums }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: currentColor }
.sent { fill: var(--sent) } .left { fill: var(--left) } .axis { stroke: currentColor; opacity: .4 }
.paused { border-left: .3rem solid var(--left); padding-left: 1rem }
@media print { body { margin: 0; max-width: none } }
"""


def page(report: Report) -> str:
    """The whole page, as HTML."""
    standing = report.standing
    name = escape(standing.name)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Campaign {standing.id}: {name}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{name}</h1>",
            f"<p>Campaign {standing.id} of the program {escape(standing.program)}, "
            f"{standing.purpose}, {standing.status}. {_times(report)}</p>",
            *_paused(report),
            *_table("Recipients", _recipients(report)),
            "<h2>How it came in over time</h2>",
            *_charts(report),
            *_table("Refused, by reason", standing.refused),
            *_table("Failed, by error of the provider", _named_codes(standing.failed)),
            *_table("Delivery of what was sent", report.delivery),
            *_table("The plan", _plan(report)),
            "</body></html>",
            "",
        ]
    )


def _times(report: Report) -> str:
    standing = report.standing
    parts = [("Started", standing.started_at), ("finished", standing.finished_at)]
    return ", ".join(f"{word} {_moment(at)}" for word, at in parts if at)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _paused(report: Report) -> Iterator[str]:
    if report.standing.pause_reason:
        yield f'<p class="paused">Paused: {escape(report.standing.pause_reason)}</p>'


def _recipients(report: Report) -> dict[str, object]:
    standing = report.standing
    rows: dict[str, object] = {"On the list": sum(standing.counts.values())}
    rows |= {status.capitalize(): count for status, count in standing.counts.items() if count}
    rows |= {"Opted out after it": f"{report.opt_outs} ({report.opt_out_share:.2%} of sent)"}
    rows["Segments sent"] = standing.segments
    if standing.cost is not None:
        rows["Cost"] = f"{standing.cost:,.2f}"
    return rows


def _named_codes(failed: Mapping[int, int]) -> dict[str, int]:
    return {str(code or "none given"): count for code, count in failed.items()}


def _plan(report: Report) -> dict[str, object]:
    plan = report.standing.plan
    names = ("recipients", "duplicates", "unreadable", "segments", "longest_text")
    rows: dict[str, object] = {
        name.replace("_", " ").capitalize(): plan[name] for name in names if name in plan
    }
    if report.standing.estimated_cost is not None:
        rows["Estimated cost"] = f"{report.standing.estimated_cost:,.2f}"
    return rows


def _table(title: str, rows: Mapping[str, object]) -> Iterator[str]:
    if rows:
        yield f"<h2>{escape(title)}</h2><table>"
        for name, value in rows.items():
            yield f"<tr><th scope=row>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        yield "</table>"


def _charts(report: Report) -> Iterator[str]:
    if not report.timeline:
        yield "<p>Nothing has been sent yet.</p>"
        return
    steps = f"per {_length(report.step)}"
    sent = [step.sent for step in report.timeline]
    left = [step.opted_out for step in report.timeline]
    yield from _chart(f"Sent {steps}", "sent", sent, report.timeline)
    yield from _chart(f"Opted out {steps}", "left", left, report.timeline)


def _chart(title: str, kind: str, values: Sequence[int], timeline: Sequence[Step]) -> Iterator[str]:
    """Bars over time; each names its value to whoever points at it or listens."""
    highest = max(1, *values)
    width = _WIDTH / len(values)
    total = f"{title}: {sum(values)} in all, at most {highest}"
    yield f"<h3>{escape(title)}</h3>"
    yield (
        f'<svg role="img" aria-label="{escape(total)}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT + _BELOW}"><text x="0" y="12">{highest}</text>'
    )
    for place, (value, step) in enumerate(zip(values, timeline, strict=True)):
        height = value / highest * (_HEIGHT - 20)
        yield (
            f'<rect class="{kind}" x="{place * width:.1f}" y="{_HEIGHT - height:.1f}" '
            f'width="{max(1.0, width * 0.85):.1f}" height="{height:.1f}">'
            f"<title>{_moment(step.at)}: {value}</title></rect>"
        )
    yield f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
    yield f'<text x="0" y="{_HEIGHT + 16}">{_moment(timeline[0].at)}</text>'
    yield (
        f'<text x="{_WIDTH}" y="{_HEIGHT + 16}" text-anchor="end">'
        f"{_moment(timeline[-1].at)}</text></svg>"
    )


def _length(seconds: int) -> str:
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return name if count == 1 else f"{count} {name}s"
    return "second" if seconds == 1 else f"{seconds} seconds"
