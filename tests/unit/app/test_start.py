"""The management key does not stay in the file in plain."""

from __future__ import annotations

import bcrypt
import pytest

from cliproxy.app.start import ensure_config, hash_management_key
from cliproxy.config.load import load

TEXT = """\
# mine
remote-management:   # who may
  allow-remote: false
  secret-key: "open sesame"   # change me
api-keys: [a]
"""


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "config.yaml"
    found.write_text(TEXT)
    return found


def test_the_key_is_replaced_by_its_hash_and_nothing_else_changes(path):
    assert hash_management_key(path, "open sesame")
    kept = load(path).config.remote_management.secret_key
    assert bcrypt.checkpw(b"open sesame", kept.encode())
    assert path.read_text().replace(kept, "open sesame").replace("'", '"') == TEXT
    assert path.stat().st_mode & 0o777 == 0o600
    assert not hash_management_key(path, kept)


@pytest.mark.parametrize("key", ["", "  ", "$2b$10$abcdefghijklmnopqrstuv"])
def test_there_may_be_nothing_to_do(path, key):
    assert not hash_management_key(path, key)
    assert path.read_text() == TEXT


def test_a_newer_key_is_not_replaced_by_the_hash_of_an_older_one(path):
    assert not hash_management_key(path, "the one before")
    assert path.read_text() == TEXT


def test_a_file_that_cannot_be_edited_is_left_alone(path, caplog):
    broken = TEXT + "? odd\n: key\n"
    path.write_text(broken)
    assert not hash_management_key(path, "open sesame")
    assert path.read_text() == broken
    assert "sesame" not in caplog.text


def test_a_first_configuration_can_be_hashed(tmp_path):
    path, new = ensure_config(tmp_path / "config.yaml")
    assert new
    assert hash_management_key(path, load(path).config.remote_management.secret_key)
    assert "\n# Accounts." in path.read_text()
