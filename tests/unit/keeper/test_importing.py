"""Logins of other programs: found where they keep them, linked or copied, and never changed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cliproxy.account.credential import Credential, written
from cliproxy.keeper.importing import entry, find


def jwt(claims: dict) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{part}.x"


ENDS = 1_800_000_000
WHO = jwt({"email": "me@example.com", "https://api.openai.com/auth": {"chatgpt_account_id": "acc"}})
LOGINS = [
    (
        "claude-code",
        {
            ".claude/.credentials.json": {
                "claudeAiOauth": {
                    "accessToken": "at", "refreshToken": "rt", "expiresAt": ENDS * 1000,
                    "subscriptionType": "max",
                }
            },
            ".claude.json": {
                "oauthAccount": {
                    "emailAddress": "me@example.com", "accountUuid": "u",
                    "organizationUuid": "o", "organizationName": "Org",
                }
            },
        },
        {
            "type": "claude", "access_token": "at", "refresh_token": "rt",
            "expired": written(ENDS), "email": "me@example.com", "account_uuid": "u",
            "organization_uuid": "o", "organization_name": "Org", "plan_type": "max",
        },
        "link",
    ),
    (
        "codex",
        {
            ".codex/auth.json": {
                "OPENAI_API_KEY": None,
                "tokens": {
                    "id_token": WHO, "access_token": jwt({"exp": ENDS}), "refresh_token": "rt",
                },
                "last_refresh": "2026-11-01T00:00:00Z",
            }
        },
        {
            "type": "codex", "id_token": WHO, "access_token": jwt({"exp": ENDS}),
            "refresh_token": "rt", "account_id": "acc", "email": "me@example.com",
            "expired": written(ENDS), "last_refresh": "2026-11-01T00:00:00Z",
        },
        "link",
    ),
    (
        "gemini-cli",
        {
            ".gemini/oauth_creds.json": {
                "access_token": "at", "refresh_token": "rt", "token_type": "Bearer",
                "expiry_date": ENDS * 1000,
            },
            ".gemini/google_accounts.json": {"active": "me@example.com", "old": []},
        },
        {
            "type": "gemini", "email": "me@example.com", "auto": True,
            "token": {
                "access_token": "at", "refresh_token": "rt", "token_type": "Bearer",
                "expiry": written(ENDS),
            },
        },
        "copy",
    ),
    (
        "qwen-code",
        {
            ".qwen/oauth_creds.json": {
                "access_token": "at", "refresh_token": "rt", "resource_url": "portal.qwen.ai",
                "expiry_date": ENDS * 1000,
            }
        },
        {
            "type": "qwen", "access_token": "at", "refresh_token": "rt",
            "resource_url": "portal.qwen.ai", "expired": written(ENDS),
        },
        "link",
    ),
    (
        "kimi-cli",
        {
            ".kimi/credentials/kimi-code.json": {
                "access_token": "at", "refresh_token": "rt", "expires_at": ENDS + 0.5,
                "scope": "kimi-code", "token_type": "Bearer",
            },
            ".kimi/device_id": "0123456789abcdef",
        },
        {
            "type": "kimi", "access_token": "at", "refresh_token": "rt", "scope": "kimi-code",
            "token_type": "Bearer", "expired": written(ENDS), "device_id": "0123456789abcdef",
        },
        "link",
    ),
    (
        "grok",
        {
            ".grok/auth.json": {
                "https://api.x.ai": {"key": "other"},
                "https://auth.x.ai::client": {
                    "key": "at", "refresh_token": "rt", "expires_at": ENDS, "email": "me@x.ai",
                },
            }
        },
        {
            "type": "xai", "access_token": "at", "refresh_token": "rt", "auth_kind": "oauth",
            "expired": written(ENDS), "email": "me@x.ai",
        },
        "link",
    ),
    (
        "iflow-cli",
        {".iflow/oauth_creds.json": {"apiKey": "key", "userName": "me", "expiry_date": ENDS * 1000}},
        {"type": "iflow", "api_key": "key", "email": "me", "expired": written(ENDS)},
        "link",
    ),
]  # fmt: skip


def lay(home: Path, files: dict) -> None:
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(("name", "files", "wanted", "mode"), LOGINS, ids=[x[0] for x in LOGINS])
def test_a_login_is_found_with_all_that_is_known(tmp_path, name, files, wanted, mode):
    lay(tmp_path, files)
    (found,) = find(tmp_path, {}, [])
    assert (found.cli.name, found.fields, found.mode, found.known) == (name, wanted, mode, "")
    assert found.expires is None or int(found.expires) == ENDS


@pytest.mark.parametrize(("name", "files", "wanted", "mode"), LOGINS, ids=[x[0] for x in LOGINS])
def test_a_linked_file_holds_no_token(tmp_path, name, files, wanted, mode):
    lay(tmp_path, files)
    (found,) = find(tmp_path, {}, [])
    file, fields = entry(found, "link")
    assert file.endswith("linked.json")
    assert set(fields) <= {"type", "linked_cli", "linked_file", "email"}
    assert find(tmp_path, {}, [Credential(file, fields)])[0].known == file


def test_all_of_a_machine_are_found_and_chosen_from(tmp_path):
    for _, files, _, _ in LOGINS:
        lay(tmp_path, files)
    assert [f.cli.name for f in find(tmp_path, {}, [])] == [x[0] for x in LOGINS]
    assert [f.cli.name for f in find(tmp_path, {}, [], ["codex", "claude"])] == [
        "claude-code",
        "codex",
    ]


@pytest.mark.parametrize(
    ("variable", "inside"),
    [("CLAUDE_CONFIG_DIR", ".credentials.json"), ("CODEX_HOME", "auth.json")],
)
def test_programs_that_were_moved_are_found_where_they_are(tmp_path, variable, inside):
    moved = tmp_path / "moved"
    source = LOGINS[0][1] if variable.startswith("CLAUDE") else LOGINS[1][1]
    lay(moved, {inside: next(iter(source.values()))})
    (found,) = find(tmp_path / "home", {variable: str(moved)}, [])
    assert found.path == moved / inside


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"tokens": 5}', '{"OPENAI_API_KEY": "k"}']
)
def test_files_without_a_login_are_passed_over(tmp_path, content):
    for _, files, _, _ in LOGINS:
        lay(tmp_path, dict.fromkeys(files, content))
    assert find(tmp_path, {}, []) == []


def test_names_of_files_are_plain(tmp_path):
    lay(tmp_path, LOGINS[5][1])
    (found,) = find(tmp_path, {}, [])
    odd = Credential("", {**found.fields, "email": "../../a b@x"})
    from msgspec import structs

    name, _ = entry(structs.replace(found, fields=odd.fields), "copy")
    assert name == "xai-..-..-a-b@x.json".replace("..-..-", "")
