"""The page as HTML. Every text from outside goes through `escape`."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files

from pyscrai.contract.runs import Run
from pyscrai.contract.seats import Asked
from pyscrai_api.page import money
from pyscrai_api.page.facts import Facts, Lane

REFRESH_SECONDS = 10
TONES = {
    "running": "good", "waiting": "wait", "pending": "wait", "paused": "wait",
    "blocked": "bad", "failed": "bad", "completed": "done", "cancelled": "quiet",
}  # fmt: skip


@cache
def style() -> str:
    """The style sheet, which goes into the page itself."""
    return (files("pyscrai_api.page") / "style.css").read_text("utf-8")


@cache
def policy() -> str:
    """The Content-Security-Policy: this very style, our own links, nothing else."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def page(facts: Facts) -> str:
    """The whole page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="{REFRESH_SECONDS}">
<title>PyScrAI</title>
<style>{style()}</style>
</head>
<body>
<header>
<h1>PyScrAI <small>{escape(facts.version)}</small></h1>
<p>{_summary(facts)}</p>
<nav><a href="/docs">API docs</a> <a href="/api/v1/openapi.json">OpenAPI</a> <a href="/metrics">Metrics</a> \
<a href="/readyz">Ready?</a></nav>
</header>
<main>
{_warnings(facts)}{_asks(facts)}<section>
<h2>Latest runs</h2>
{_runs(facts)}
</section>
{money.lately(facts.by_day, facts.by_model)}<section>
<h2>Engines and queue</h2>
{_lanes(facts.lanes)}
</section>
</main>
<footer>Looked at just now; again every {REFRESH_SECONDS} seconds.</footer>
</body>
</html>
"""


def _summary(facts: Facts) -> str:
    engines = sum(lane.engines for lane in facts.lanes)
    said = [f"{_count(engines, 'engine')} ready" if engines else "no engine yet"]
    said += [f"{_count(number, 'run')} {escape(status)}" for status, number in sorted(facts.counts.items())]
    if not facts.counts:
        said.append("no run under way")
    return " · ".join(said)


def _warnings(facts: Facts) -> str:
    said = [
        f"{_count(lane.ready, 'event')} in <b>{escape(lane.name)}</b> {_wait(lane.ready)} and no engine works there. "
        f"Start one: <code>{escape(_command(lane))}</code>"
        for lane in facts.lanes
        if lane.deserted
    ]
    return "".join(f'<p class="notice">{text}</p>\n' for text in said)


def _asks(facts: Facts) -> str:
    """Whom runs wait for; nothing where they wait for nobody."""
    if not facts.asks:
        return ""
    rows = "\n".join(_ask(asked) for asked in facts.asks)
    head = "<tr><th>Waiting for</th><th>Asked</th><th>Until</th></tr>"
    table = f'<table class="asks">\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    return f"<section>\n<h2>People at the table</h2>\n{table}\n</section>\n"


def _ask(asked: Asked) -> str:
    what = f"look at: {asked.what}" if asked.kind == "approval" else asked.what
    until = "" if asked.deadline is None else f"<time>{escape(asked.deadline[:16].replace('T', ' '))} UTC</time>"
    command = f"pyscrai play {asked.run} --seat {asked.seat}"
    about = f'<div class="about"><code>{escape(command)}</code></div>'
    return (
        f"<tr><td>{escape(asked.title)}{about}</td><td>{escape(what)}, turn {asked.turn} of {asked.turns}</td>"
        f"<td>{until}</td></tr>"
    )


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _command(lane: Lane) -> str:
    kind, _, pool = lane.name.partition(":")
    return f"python -m pyscrai_{kind} --pool {pool}" if pool else f"python -m pyscrai_{kind}"


def _runs(facts: Facts) -> str:
    if not facts.runs:
        return (
            '<p class="empty">Nothing has been played yet. <code>pyscrai run templates/scenarios/negotiation</code></p>'
        )
    head = "<tr><th>Run</th><th>Status</th><th class=n>Turn</th><th class=n>Cost</th></tr>"
    rows = "\n".join(_run(run, links=facts.links) for run in facts.runs)
    return f'<table class="runs">\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>'


def _run(run: Run, *, links: bool) -> str:
    title = escape(run.title)
    if links:
        title = f'<a href="/runs/{escape(run.id)}">{title}</a>'
    reason = ""
    status = f'<span class="pill {TONES.get(run.status, "quiet")}">{escape(run.status)}</span>'
    if run.outcome:
        status += f' <span class="outcome">{escape(run.outcome.replace("_", " "))}</span>'
    if run.reason is not None:
        tone = "bad" if run.status in ("blocked", "failed") else "quiet"
        reason = f'<div class="reason {tone}">{escape(run.reason.message)}</div>'
    when = escape(run.created_at[:16].replace("T", " "))
    about = f"{escape(run.scenario.name)}/{escape(run.label)} · <time>{when} UTC</time>"
    return (
        f'<tr><td>{title}<div class="about">{about}</div>{reason}</td><td>{status}</td>'
        f"<td class=n>{run.turn} of {run.turns}</td><td class=n>{money.of_run(run)}</td></tr>"
    )


def _lanes(lanes: list[Lane]) -> str:
    names = ("Engines", "At work", "Ready", "Later", "Dead")
    head = "<tr><th>Lane</th>" + "".join(f"<th class=n>{name}</th>" for name in names) + "</tr>"
    rows = "\n".join(_lane(lane) for lane in lanes)
    return f'<table class="lanes">\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>'


def _lane(lane: Lane) -> str:
    seen = "" if lane.seen is None else f'<div class="about">seen {_ago(lane.seen)}</div>'
    engines = f"{lane.engines}" + (f" <small>+{lane.draining} leaving</small>" if lane.draining else "")
    work = f"{lane.at_work}" + (f" <small>of {lane.room}</small>" if lane.room else "")
    dead = f"<b class=bad>{lane.dead}</b>" if lane.dead else "0"
    cells = "".join(f"<td class=n>{cell}</td>" for cell in (engines, work, str(lane.ready), str(lane.later), dead))
    return f"<tr><td>{escape(lane.name)}{seen}</td>{cells}</tr>"


def _ago(seconds: float) -> str:
    if seconds < 1.5:
        return "just now"
    return f"{seconds:.0f} s ago" if seconds < 90 else f"{seconds / 60:.0f} min ago"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
