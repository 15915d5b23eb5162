"""From an exception to what a person reads: one message, what to do about it, and an exit code."""

from __future__ import annotations

from pyscrai.cli.talk import FAILED, STANDS_STILL, USAGE, Talk

DEBUG_HINT = "This is a defect of PyScrAI. Run it again with PYSCRAI_DEBUG=1 to see where."


def report(error: BaseException, talk: Talk) -> int:
    """Say what went wrong and return the exit code; the stack trace only where debugging is on."""
    from pyscrai.embedded.errors import Interrupted

    error = _innermost(error)
    if isinstance(error, Interrupted):
        return 128 + error.signum
    if talk.debug:
        import traceback

        traceback.print_exception(error)
    code, hint, exit_code = _describe(error)
    talk.complain(str(error) or type(error).__name__, hint, code)
    return exit_code


def _innermost(error: BaseException) -> BaseException:
    """A task group wraps what its tasks raise; one error is shown as what it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _describe(error: BaseException) -> tuple[str, str, int]:
    """(code, hint, exit code)."""
    from pyscrai.client import errors as client
    from pyscrai.domain.errors import PyScrAIError
    from pyscrai.sdk import errors as sdk

    if isinstance(error, client.ApiUnreachable):
        return (
            "unreachable",
            "Is the API running there? Start it with `pyscrai up`, or name another by --api-url.",
            FAILED,
        )
    if isinstance(error, client.Unauthorized):
        return error.code, "Give the API's token with --token or PYSCRAI_TOKEN.", FAILED
    if isinstance(error, client.LimitRequired):
        return error.code, "Give one with --limit USD, such as --limit 0.50.", FAILED
    if isinstance(error, client.UnpricedModel):
        return error.code, "Declare its price: --price MODEL=IN,OUT in US dollars per million tokens.", FAILED
    if isinstance(error, client.QueueFull):
        return error.code, "Engines have to catch up first: see `pyscrai events lanes`, and try again later.", FAILED
    if isinstance(error, client.ApiError):
        return error.code, _field_errors(error), FAILED
    if isinstance(error, sdk.NoSuchRun | sdk.ScenarioNotFound):
        return "not_found", "", USAGE
    if isinstance(error, sdk.RunStopped):
        return error.result.status, "", STANDS_STILL
    if isinstance(error, PyScrAIError):
        return _snake(type(error).__name__), "", FAILED
    if isinstance(error, OSError):
        return "os_error", "", FAILED
    return "internal", DEBUG_HINT, FAILED


def _field_errors(error: object) -> str:
    fields = getattr(error, "errors", [])
    return "\n".join(f"  {f.pointer or '/'}: {f.message}{f' ({f.hint})' if f.hint else ''}" for f in fields)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
