"""What scripts/environment.py decides before it installs anything."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "environment.py"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the script as a module that works on an empty clone."""
    spec = importlib.util.spec_from_file_location("cliproxy_environment", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, path in (
        ("ROOT", tmp_path),
        ("REQUIREMENTS", tmp_path / "requirements"),
        ("VENV", tmp_path / ".venv"),
        ("TOOLS", tmp_path / ".tools"),
        ("CACHE", tmp_path / ".cache"),
    ):
        monkeypatch.setattr(module, name, path)
    (tmp_path / "requirements").mkdir()
    for name in ("run.txt", "demo.txt", "dev.txt"):
        (tmp_path / "requirements" / name).write_text(f"# {name}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return module


def finish(environment: ModuleType, level: str) -> None:
    programs = environment.VENV / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "python").unlink(missing_ok=True)
    (programs / "python").symlink_to(sys.executable)
    environment.write_stamp(environment.VENV, f"{level} {environment.key(level)}")


def test_a_finished_venv_is_current_for_its_level_and_those_below(environment: ModuleType) -> None:
    assert not environment.is_current("run")
    finish(environment, "run")
    assert environment.is_current("run")
    assert not environment.is_current("dev")
    finish(environment, "dev")
    assert environment.is_current("run")
    assert environment.is_current("dev")


def test_an_interrupted_venv_is_not_current(environment: ModuleType) -> None:
    finish(environment, "dev")
    environment.write_stamp(environment.VENV, environment.INCOMPLETE)
    assert not environment.is_current("run")


def test_a_changed_lock_or_project_makes_the_venv_old(environment: ModuleType) -> None:
    finish(environment, "dev")
    (environment.REQUIREMENTS / "run.txt").write_text("# not what dev installs\n")
    assert environment.is_current("dev")
    (environment.REQUIREMENTS / "dev.txt").write_text("# new\n")
    assert not environment.is_current("dev")
    finish(environment, "dev")
    (environment.ROOT / "pyproject.toml").write_text("[project]\nname='x'\n")
    assert not environment.is_current("dev")


def test_a_venv_whose_python_is_gone_is_not_current(environment: ModuleType) -> None:
    finish(environment, "dev")
    (environment.VENV / "bin" / "python").unlink()
    (environment.VENV / "bin" / "python").symlink_to(environment.ROOT / "uninstalled")
    assert not environment.is_current("dev")


def test_running_a_clone_of_a_developer_keeps_the_tools(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(environment, "dev")
    (environment.REQUIREMENTS / "dev.txt").write_text("# new\n")
    installed: list[str] = []
    monkeypatch.setattr(
        environment, "install_locked", lambda _venv, name, *, editable: installed.append(name)
    )
    monkeypatch.setattr(environment, "run", lambda _command: None)
    environment.set_up("run")
    assert installed == ["dev.txt"]
    assert environment.is_current("dev")


def test_pip_settings_reach_uv_in_its_own_words(environment: ModuleType, tmp_path: Path) -> None:
    settings = environment.uv_settings(
        {
            "index-url": "https://user:secret@mirror.example/simple",
            "extra-index-url": "https://a.example/simple\nhttps://b.example/simple",
            "trusted-host": "mirror.example",
            "cert": "/etc/ca.pem",
            "default-timeout": "180",
            "proxy": "http://proxy.example:3128",
            "find-links": f"{tmp_path} /not/there",
        }
    )
    assert settings == {
        "UV_DEFAULT_INDEX": "https://user:secret@mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "mirror.example",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_HTTP_TIMEOUT": "180",
        "ALL_PROXY": "http://proxy.example:3128",
        "UV_FIND_LINKS": str(tmp_path),
    }


def test_without_pip_settings_uv_trusts_what_the_machine_trusts(environment: ModuleType) -> None:
    assert environment.uv_settings({}) == {"UV_SYSTEM_CERTS": "true"}


def test_settings_that_install_elsewhere_are_not_passed_on(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    passed = environment.pip_environment()
    assert "PIP_TARGET" not in passed
    assert passed["PIP_INDEX_URL"] == "https://mirror.example/simple"


def test_one_package_can_be_left_out_of_a_lock(environment: ModuleType) -> None:
    lock = "# head\na==1 \\\n    --hash=x\n    # via b\nxllamacpp==2 \\\n    --hash=y\n    # via c\nz==3 \\\n    --hash=z\n"
    assert environment.without(lock, "xllamacpp") == (
        "# head\na==1 \\\n    --hash=x\n    # via b\nz==3 \\\n    --hash=z\n"
    )


def test_a_python_without_venv_is_explained(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "can_make_venv", lambda: False)
    monkeypatch.setattr(environment, "BASE_PYTHON", "/usr/bin/python3")
    monkeypatch.setattr(environment.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    with pytest.raises(environment.SetupError, match=r"sudo apt-get install python3\.\d+-venv"):
        environment.check_venv_module()
    monkeypatch.setattr(environment, "BASE_PYTHON", "/opt/python/bin/python3")
    with pytest.raises(environment.SetupError, match="PYTHON="):
        environment.check_venv_module()
