"""Why a run stands still, and what a person does about it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from pyscrai.cli.charts import money
from pyscrai.cli.prose import clean, one_line
from pyscrai.contract.runs import Run, Trouble
from pyscrai.sdk.result import full_name

ADVICE = {
    "model_key_missing": "Set the key in the engines' environment (for `pyscrai run`: in this shell), then resume.",
    "model_key_refused": "Check the key: yours (pyscrai keys), or that in the environment of the engines. Then resume.",
    "model_not_installed": "Do what it says where the engines run, then resume; or resume with --model rehearsal.",
    "model_unreachable": "Check the address and that the server runs, then resume; finished work is kept.",
    "model_rate_limited": "Wait until the provider takes requests again, then resume.",
    "model_overloaded": "Wait until the provider has recovered, then resume.",
    "model_timed_out": "Resume to try again, or with a faster model: --model MODEL.",
    "model_context_exceeded": "Resume with a model that takes longer requests: --model MODEL.",
    "model_refused": "Resume to ask again, or change what the scenario asks for.",
    "model_rejected": "Check your account with the provider, then resume; with another model: --model MODEL.",
    "model_unparsable": "The model does not keep to the form asked for. Resume to ask again, or with another --model.",
    "model_blocked": "PYSCRAI_NO_PAID_MODELS forbids it here: unset it, or resume with --model rehearsal.",
    "unpriced": "Declare a price: --price MODEL=IN,OUT (US dollars per million tokens), or PYSCRAI_PRICES.",
    "unpriced_model": "Resume with --price MODEL=IN,OUT (US dollars per million tokens), or with another --model.",
    "limit_required": "Resume with --limit USD.",
    "bound_exceeded": "The provider charged more than was reserved: check its declared price before you resume.",
    "waiting_for_place": "`pyscrai runs list --status running` shows who has the places; pause or cancel one for room.",
    "policy_error": "This is an error in the scenario or in PyScrAI; what was said is kept. Resume tries again.",
    "replay_diverged": "Replay the recorded versions (runs replay, without --with), or play it with models: run.",
    "recording_ends": "What was recorded is played; to go further, play the scenario with models: run.",
    "prompt": "Mend the event type's prompt or go back to the built-in one.",
}
OF_A_RECORDING = frozenset({"replay_diverged", "recording_ends"})
"""A replay that stopped stops there each time."""
OF_THE_PURSE = frozenset({"out_of_money", "limit_required"})


def why(run: Run) -> str:
    """One sentence: what stopped it, or whom it waits for."""
    trouble = run.reason
    if run.status == "waiting" and run.asks:
        asked = "; ".join(f"{one.title}: pyscrai play {one.run} --seat {one.seat}" for one in run.asks)
        return f"The run waits for {asked}"
    if trouble is None:
        return f"The run is {run.status}."
    message = one_line(_parts(trouble)[0])
    seat = f" (at {trouble.seat})" if trouble.seat and trouble.seat not in message else ""
    return f"The run is {run.status}{seat}: {message}"


def differences(run: Run) -> list[str]:
    """Where a replay left its recording, line by line, as a unified diff; nothing otherwise."""
    if run.reason is None or run.reason.code != "replay_diverged":
        return []
    return clean(_parts(run.reason)[1]).splitlines()


def _parts(trouble: Trouble) -> tuple[str, str]:
    """The message itself, and what stands on further lines."""
    message, _, rest = trouble.message.partition("\n")
    return (message, rest) if trouble.code == "replay_diverged" else (trouble.message, "")


def what_to_do(run: Run) -> list[str]:
    """What helps, then the command that goes on."""
    trouble = run.reason
    lines = [] if trouble is None else list(_advice(run, trouble))
    if run.status in ("paused", "blocked") and (trouble is None or trouble.code not in OF_A_RECORDING):
        lines.append(f"Go on: {resume_command(run)}")
    return lines


def _wider_limit(trouble: Trouble | None) -> str | None:
    """The command that raises the limit which several runs share; those that wait for it go on then by themselves,
    where engines are."""
    if trouble is None or trouble.code != "out_of_money" or trouble.scope in (None, "run"):
        return None
    amount = max((trouble.needed or Decimal(0)) * 2, Decimal("0.01"))
    return " ".join(filter(None, ("pyscrai limits set", trouble.scope, trouble.name, f"{amount:.2f}")))


def resume_command(run: Run) -> str:
    """The command that takes this run up again, with a new limit where the old one is used up."""
    command = f"pyscrai runs resume {full_name(run)}"
    if run.reason is not None and run.reason.code in OF_THE_PURSE and not _wider_limit(run.reason):
        command += f" --limit {_next_limit(run)}"
    return command


def _advice(run: Run, trouble: Trouble) -> Iterable[str]:
    if trouble.code == "out_of_money":
        yield f"What was played so far is kept; {money(run.spent)} of {money(run.limit)} is spent."
        if wider := _wider_limit(trouble):
            yield f"Raise the limit: {wider}"
    elif trouble.code in ADVICE:
        yield ADVICE[trouble.code]


def _next_limit(run: Run) -> str:
    """Twice the limit, or twice what lets the next call go through, if that is more; at least a cent."""
    needed = run.reason.needed or Decimal(0) if run.reason else Decimal(0)
    return f"{max((run.limit or 0) * 2, needed * 2, Decimal('0.01')):.2f}" if run.limit or needed else "1.00"
