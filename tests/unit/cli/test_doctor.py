"""What the doctor says in the end, and what it says to do about an address that leads nowhere."""

from __future__ import annotations

import pytest

from pyscrai.cli.diagnosis import Line
from pyscrai.cli.doctor import _verdict
from pyscrai.cli.options import Where
from pyscrai.cli.vital_signs import _what_is_set

OK = Line(name="Python", state="ok", detail="3.12")
WARN = Line(name="Model keys", state="warn", detail="none is set")
FAIL = Line(name="API", state="fail", detail="nobody answers")


def test_the_last_line_says_what_it_comes_to() -> None:
    assert _verdict([OK]) == "Ready to play: pyscrai run first-read."
    assert _verdict([OK, WARN]) == "Ready to play: pyscrai run first-read. What is marked (Model keys) can wait."
    assert _verdict([OK, WARN, FAIL]).startswith("Not ready: API.")


@pytest.mark.parametrize(
    ("setting", "option"),
    [("PYSCRAI_API_URL", "--api-url"), ("PYSCRAI_DATABASE_URL", "--database-url"), ("PYSCRAI_PG_BIN", "unset it")],
)
def test_the_setting_that_leads_nowhere_is_named_with_how_to_do_without(
    monkeypatch: pytest.MonkeyPatch, setting: str, option: str
) -> None:
    for name in ("PYSCRAI_API_URL", "PYSCRAI_DATABASE_URL", "PYSCRAI_PG_BIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(setting, "nowhere")
    said = _what_is_set(Where(api_url=None, token=None, database_url=None, data=None))
    assert setting in said
    assert option in said
