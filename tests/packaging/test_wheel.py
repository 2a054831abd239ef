"""The wheel works where this clone is not, and importing the package costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def output(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    output(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder,
        ROOT,
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_installed_wheel_serves_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    output(
        sys.executable, ROOT / "scripts" / "environment.py", "wheel-venv", venv, wheel, cwd=tmp_path
    )

    command = venv / "bin" / "cliproxy"
    assert VERSION in output(command, "--version", cwd=tmp_path)
    assert "--config" in output(command, "serve", "--help", cwd=tmp_path)
    place = output(
        venv / "bin" / "python", "-c", "import cliproxy; print(cliproxy.__file__)", cwd=tmp_path
    )
    assert place.startswith(str(venv))


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = [name for name in archive.namelist() if ".dist-info/" in name]
    source = ROOT / "src"
    wanted = {
        str(path.relative_to(source))
        for path in (source / "cliproxy").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == wanted
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import cliproxy, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = set(output(sys.executable, "-c", program, cwd=tmp_path).split())
    assert not loaded & {
        "aiohttp",
        "bcrypt",
        "brotli",
        "cyclopts",
        "rich",
        "ruamel",
        "uvicorn",
        "uvloop",
        "watchfiles",
        "xllamacpp",
        "ssl",
        "asyncio",
    }
