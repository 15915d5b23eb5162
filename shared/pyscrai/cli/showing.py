"""The page of one run: what `runs show` prints."""

from __future__ import annotations

from pyscrai.cli import pages, patterns
from pyscrai.cli.findings import disclosures
from pyscrai.cli.play import Play
from pyscrai.cli.session import Session
from pyscrai.cli.talk import Talk
from pyscrai.cli.watching import bill_of, summary
from pyscrai.contract.runs import Run
from pyscrai.domain.patterns import patterns as patterns_of
from pyscrai.sdk.follow import whole_log
from pyscrai.sdk.result import result_of


async def show_run(run: Run, at: Session, talk: Talk, *, thoughts: bool, default_model: str) -> None:
    """Print the play so far, then outcome, metrics, money, digest; as one JSON object where results are JSON."""
    log = [entry async for entry in whole_log(at.api, run.id)]
    if talk.json:
        more = {"created_at": run.created_at, "ended_at": run.ended_at}
        if run.replay_of is not None:
            more["replay_of"] = f"{run.replay_of.scenario}/{run.replay_of.label}"
        talk.result(summary(result_of(run, log)) | more)
        return
    import pyscrai

    bill = await bill_of(at.api, run.id, default_model)
    play = Play(talk.paper, bill, thoughts=thoughts)
    pages.heading(talk.paper, run, bill, {}, pyscrai.__version__)
    for entry in log:
        play.show(entry)
    if any(entry.kind == "report" for entry in log):
        ranges = {name: gauge.bounds for name, gauge in bill.gauges.items()}
        patterns.show(talk.paper, bill, patterns_of(log, ranges))
    disclosures(talk.paper, bill, log)
    pages.spending(talk.paper, log)
    pages.ending(talk.paper, run, play.measures, play.reason, None)
