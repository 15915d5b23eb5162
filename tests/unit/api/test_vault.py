"""Encryption of people's keys."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from pyscrai_api.errors import Conflict
from pyscrai_api.people.errors import BadSecret, CannotOpen
from pyscrai_api.people.secret import SecretPlace
from pyscrai_api.people.vault import Secret, Vault, new_secret, read_secrets
from pyscrai_api.settings import Settings

KEY = "sk-plant-123456789012345678901234"
PHRASE = "correct horse battery staple"


def vault(text: str) -> Vault:
    return Vault(read_secrets(text))


@pytest.mark.parametrize(
    "secret",
    [new_secret(), PHRASE, base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("=")],
    ids=["new", "phrase", "no padding"],
)
def test_what_was_sealed_opens_with_the_same_secret_in_another_process(secret: str) -> None:
    sealed = vault(secret).seal(KEY, "alice", "OPENAI_API_KEY")
    assert vault(secret).open(sealed, "alice", "OPENAI_API_KEY") == KEY
    assert KEY.encode() not in sealed


def test_no_two_sealings_are_alike() -> None:
    one = vault(new_secret())
    assert len({one.seal(KEY, "alice", "OPENAI_API_KEY") for _ in range(100)}) == 100


@pytest.mark.parametrize(("owner", "place"), [("bob", "OPENAI_API_KEY"), ("alice", "GROQ_API_KEY")])
def test_it_opens_for_nobody_and_nothing_else(owner: str, place: str) -> None:
    one = vault(PHRASE)
    sealed = one.seal(KEY, "alice", "OPENAI_API_KEY")
    with pytest.raises(CannotOpen):
        one.open(sealed, owner, place)


def test_another_secret_does_not_open_it_and_a_former_one_does() -> None:
    old, new = new_secret(), new_secret()
    sealed = vault(old).seal(KEY, "alice", "X")
    with pytest.raises(CannotOpen):
        vault(new).open(sealed, "alice", "X")
    both = vault(f"{new}, {old}")
    assert both.open(sealed, "alice", "X") == KEY
    assert both.is_old(sealed, "alice", "X")
    again = both.seal(KEY, "alice", "X")
    assert not both.is_old(again, "alice", "X")
    assert vault(new).open(again, "alice", "X") == KEY


def test_every_changed_byte_is_noticed() -> None:
    one = vault(new_secret())
    sealed = one.seal(KEY, "alice", "X")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(CannotOpen):
            one.open(changed, "alice", "X")
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            one.open(sealed[:length], "alice", "X")


@pytest.mark.parametrize("weak", ["short", base64.b64encode(b"8 bytes!").decode()[:12]])
def test_a_weak_secret_is_none_and_is_not_repeated(weak: str) -> None:
    with pytest.raises(BadSecret) as refused:
        Secret(weak)
    assert weak not in str(refused.value)


def test_the_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    sealed = SecretPlace(Settings(data=data)).vault(make=True).seal(KEY, "local", "X")
    file = data / "secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in data.iterdir()] == ["secret"]
    again = SecretPlace(Settings(data=data)).vault(make=True)
    assert again.open(sealed, "local", "X") == KEY


def test_without_setting_and_folder_there_is_no_vault() -> None:
    with pytest.raises(Conflict, match="PYSCRAI_SECRET"):
        SecretPlace(Settings()).vault(make=True)


def test_reading_makes_no_secret(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="PYSCRAI_SECRET"):
        SecretPlace(Settings(data=tmp_path)).vault()
    assert not (tmp_path / "secret").exists()


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    SecretPlace(Settings(data=tmp_path)).vault(make=True)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(Conflict, match="chmod 600"):
        SecretPlace(Settings(data=tmp_path)).vault()


def test_a_setting_takes_over_from_the_file_and_still_opens_what_is_under_it(tmp_path: Path) -> None:
    sealed = SecretPlace(Settings(data=tmp_path)).vault(make=True).seal(KEY, "local", "X")
    place = SecretPlace(Settings(data=tmp_path, secret=PHRASE))
    assert place.several
    assert place.vault().open(sealed, "local", "X") == KEY
    assert place.vault().is_old(sealed, "local", "X")


def test_nothing_shows_a_secret() -> None:
    settings = Settings.read({"PYSCRAI_SECRET": PHRASE})
    assert settings.secret == PHRASE
    assert PHRASE not in repr(settings)
    assert PHRASE not in repr(vars(vault(PHRASE))) + repr(read_secrets(PHRASE))
    assert os.environ.get("PYSCRAI_SECRET") is None
