"""Option = environment variable = keyword argument."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pyscrai_api.settings import BadSetting, Settings, is_loopback


def test_what_is_given_beats_the_environment_which_beats_the_default() -> None:
    settings = Settings.read({"PYSCRAI_PORT": "9000", "PYSCRAI_TOKEN": "t"}, port="9001")
    assert (settings.port, settings.token, settings.host) == (9001, "t", "127.0.0.1")


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.read({"PYSCRAI_TOKEN": "", "PYSCRAI_PORT": ""}) == Settings()


def test_lists_and_amounts() -> None:
    settings = Settings.read({"PYSCRAI_ALLOWED_HOSTS": " Api, play.example.org,", "PYSCRAI_DEFAULT_LIMIT": "0.25"})
    assert settings.allowed_hosts == ("api", "play.example.org")
    assert settings.default_limit == Decimal("0.25")
    assert Settings.read({"PYSCRAI_DEFAULT_LIMIT": "none"}).default_limit is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYSCRAI_PORT", "eighty"),
        ("PYSCRAI_PORT", "70000"),
        ("PYSCRAI_DEFAULT_LIMIT", "-1"),
        ("PYSCRAI_DEFAULT_LIMIT", "NaN"),
        ("PYSCRAI_DEFAULT_LIMIT", "a lot"),
        ("PYSCRAI_LOG_LEVEL", "loud"),
        ("PYSCRAI_POOL_SIZE", "0"),
        ("PYSCRAI_STATEMENT_CACHE", "-1"),
        ("PYSCRAI_STATEMENT_TIMEOUT", "0"),
    ],
)
def test_a_value_that_makes_no_sense_names_its_option(variable: str, value: str) -> None:
    option = "--" + variable.removeprefix("PYSCRAI_").lower().replace("_", "-")
    with pytest.raises(BadSetting, match=f"{option} .{variable}.*{value}"):
        Settings.read({variable: value})


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("LOCALHOST", True), ("::1", True), ("0.0.0.0", False), ("api", False)],
)
def test_loopback(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here
