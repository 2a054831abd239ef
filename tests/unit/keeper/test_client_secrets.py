"""The secret of an installed program's OAuth client is found beside its public id."""

from __future__ import annotations

from pathlib import Path

import pytest

from cliproxy.keeper.client_secrets import APPS, find_client_secret, usual_roots

GEMINI = APPS["gemini-cli"].client_id
ANTIGRAVITY = APPS["antigravity"].client_id
DUMMY = "GOCSPX-dummy-dummy"
NAMED = f"const OAUTH_CLIENT_ID =\n  '{GEMINI}';\n// …\nconst OAUTH_CLIENT_SECRET = '{DUMMY}';\n"
OTHER = "const OTHER_CLIENT_SECRET = 'not-this-one-dummy';\n"


def put(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "path",
    [
        "@google/gemini-cli/bundle/gemini.js",
        "@google/gemini-cli/bundle/chunk-ABC.js",
        "@google/gemini-cli/node_modules/@google/gemini-cli-core/dist/src/code_assist/oauth2.js",
        "@google/gemini-cli-core/dist/src/code_assist/oauth2.js",
        "bundle/gemini.js",
    ],
)
def test_it_is_found_wherever_the_package_keeps_it(tmp_path, path):
    put(tmp_path, path, NAMED)
    assert find_client_secret([tmp_path]) == DUMMY


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (NAMED, DUMMY),
        (f'var a="{GEMINI}",b="{DUMMY}";', DUMMY),
        (f'x({{clientId:"{GEMINI}",clientSecret:"short-dummy"}})', "short-dummy"),
        (f'x({{"client_secret": "short-dummy", "client_id": "{GEMINI}"}})', "short-dummy"),
        (f"var a=`{GEMINI}`, s = `{DUMMY}`;", DUMMY),
        (OTHER + " " * 900 + NAMED, DUMMY),
        (f'var o="x.apps.googleusercontent.com",p="GOCSPX-other-dummy";{" " * 300}{NAMED}', DUMMY),
        (f'var a="{GEMINI}";' + "\n" * 5000 + f'var b="{DUMMY}";', ""),
        (f'var a="1{GEMINI}",b="{DUMMY}";', ""),
        (f'var b="{DUMMY}";', ""),
        (f'var a="{GEMINI}";', ""),
        ("", ""),
    ],
    ids=[
        "named",
        "names shortened",
        "members",
        "secret first",
        "backticks",
        "another secret far before",
        "another client before",
        "too far away",
        "another id that ends alike",
        "no id",
        "no secret",
        "empty",
    ],
)
def test_it_is_told_by_its_name_or_look_and_its_place(tmp_path, text, found):
    put(tmp_path, "@google/gemini-cli/bundle/gemini.js", text)
    assert find_client_secret([tmp_path]) == found


def test_the_first_root_that_has_it_wins(tmp_path):
    one = put(tmp_path / "one", "@google/gemini-cli/bundle/gemini.js", "nothing")
    two = put(tmp_path / "two", "@google/gemini-cli/bundle/gemini.js", NAMED)
    three = put(tmp_path / "three", "bundle/gemini.js", NAMED.replace(DUMMY, "GOCSPX-third-one"))
    assert find_client_secret([tmp_path / "none", one, two, three]) == DUMMY


def test_each_program_has_its_own(tmp_path):
    text = NAMED.replace(GEMINI, ANTIGRAVITY)
    put(tmp_path, "out/main.js", text)
    assert find_client_secret([tmp_path], "antigravity") == DUMMY
    assert find_client_secret([tmp_path], "gemini-cli") == ""
    iflow = 'var c={clientId:"10009311001",clientSecret:"dummy-dummy"};'
    put(tmp_path, "@iflow-ai/iflow-cli/bundle/iflow.js", iflow)
    assert find_client_secret([tmp_path], "iflow") == "dummy-dummy"
    assert find_client_secret([tmp_path], "claude") == ""


def test_what_cannot_be_read_is_passed_over(tmp_path):
    (tmp_path / "bundle/gemini.js").mkdir(parents=True)
    put(tmp_path, "@google/gemini-cli/bundle/gemini.js", NAMED)
    (tmp_path / "@google/gemini-cli/bundle/a.js").symlink_to(tmp_path / "gone.js")
    assert find_client_secret([tmp_path]) == DUMMY


class TestUsualRoots:
    @pytest.mark.parametrize(
        ("env", "root"),
        [
            ({"NPM_CONFIG_PREFIX": "/opt/npm"}, "/opt/npm/lib/node_modules"),
            ({"APPDATA": "/roaming"}, "/roaming/npm/node_modules"),
            ({}, "/usr/lib/node_modules"),
        ],
    )
    def test_packages_are_looked_for_where_npm_puts_them(self, tmp_path, env, root):
        assert Path(root) in usual_roots("gemini-cli", tmp_path, env)

    def test_every_version_of_node_has_its_own(self, tmp_path):
        for version in ("v20.1.0", "v22.3.0"):
            (tmp_path / f".nvm/versions/node/{version}").mkdir(parents=True)
        found = usual_roots("gemini-cli", tmp_path, {})
        mine = [p for p in found if ".nvm" in str(p)]
        assert [p.parts[-3] for p in mine] == ["v22.3.0", "v20.1.0"]

    def test_the_editor_is_a_desktop_app(self, tmp_path):
        found = usual_roots("antigravity", tmp_path, {"LOCALAPPDATA": "/local"})
        assert all(path.parts[-1] == "app" for path in found)
        assert Path("/local/Programs/Antigravity/resources/app") in found
