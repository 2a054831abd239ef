"""Make and lock the Python environments of this clone, with nothing but the standard library.

`run` and `dev` make `.venv` from the hashed files in `requirements/`; `lock` writes those files;
`wheel-venv` installs a built wheel with its locked dependencies somewhere else, for its test.
It does not find a Python (scripts/setup does) and does not start, test or build anything.

uv does the installing because it is quick, and is itself installed, pinned and hashed, into
`.tools/`. Whatever keeps uv from working, plain pip takes its place: slower, same result.

A `.venv` is finished when its stamp says so. The stamp is set to "incomplete" before anything
changes and to the key of what was asked for afterwards, so an interrupted run is never mistaken
for a finished one, and a second run with nothing to do ends after comparing two strings.
"""

import argparse
import ast
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
CACHE = ROOT / ".cache"

STAMP = ".cliproxy-setup"
INCOMPLETE = "incomplete"

# What each level installs. run.txt alone is the product, without what a clone adds to show it.
LEVELS = {"run": "demo.txt", "dev": "dev.txt"}

# The Python that a venv is made from also when this file runs inside a venv.
BASE_PYTHON = str(getattr(sys, "_base_executable", None) or sys.executable)

# Which Python that is, in words that a security update of the same Python does not change.
IDENTITY = f"{Path(BASE_PYTHON).resolve()} {sys.implementation.cache_tag}"

# A person's own pip settings for where to install would send packages past the venv.
MISDIRECTING = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PYTHONHOME")


class SetupError(Exception):
    """What went wrong, in a sentence for the person at the terminal."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/setup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="what a running proxy needs, with the local model")
    commands.add_parser("dev", help="all of that and what tests, linters and builds need")
    lock = commands.add_parser("lock", help="write requirements/*.txt anew from pyproject.toml")
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    wheel = commands.add_parser("wheel-venv", help="install a wheel as a user would")
    wheel.add_argument("venv", type=Path)
    wheel.add_argument("wheel", type=Path)
    options = parser.parse_args(arguments)

    try:
        match options.command:
            case "lock":
                lock_requirements(upgrade=options.upgrade)
            case "wheel-venv":
                make_wheel_venv(options.venv.absolute(), options.wheel.absolute())
            case level:
                set_up(level)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        command = " ".join(str(part) for part in error.cmd[:4])
        print(f"setup: `{command} …` failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


def set_up(level: str) -> None:
    """Bring `.venv` to a level; do nothing when it is there already."""
    if is_current(level):
        return
    with alone():
        if is_current(level):  # another run did it while this one waited
            return
        have, _ = read_stamp()
        if have == "dev":  # who develops here keeps the tools, also after `make run`
            level = have
        check_venv_module()
        say(f"making .venv ({level}) with Python {sys.version.split()[0]}")
        if have == INCOMPLETE:
            remove(VENV)
        install_locked(VENV, LEVELS[level], editable=True)
        run([str(VENV / "bin/python"), "-c", "import cliproxy"])
        write_stamp(VENV, f"{level} {key(level)}")
        say("done")


def is_current(level: str) -> bool:
    """Whether `.venv` is finished, at this level or above, for this Python and these locks."""
    have, stamped = read_stamp()
    enough = have == level or (have == "dev" and level == "run")
    # A venv whose Python was uninstalled has all its files still, and a link to nowhere.
    return enough and stamped == key(have) and (VENV / "bin/python").exists()


def read_stamp() -> tuple[str, str]:
    """Give the level of `.venv` and the key it was made for; empty where there is no stamp."""
    try:
        level, _, stamped = (VENV / STAMP).read_text().partition(" ")
    except OSError:
        return "", ""
    return level, stamped


def write_stamp(venv: Path, text: str) -> None:
    """Replace a venv's stamp in one step."""
    fresh = venv / f"{STAMP}.new"
    fresh.write_text(text)
    fresh.replace(venv / STAMP)


def key(level: str) -> str:
    """Name everything that decides what `.venv` holds."""
    digest = hashlib.sha256()
    for path in (REQUIREMENTS / LEVELS[level], ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    # The clone's own place counts: a moved or copied clone has scripts that point elsewhere.
    digest.update(f"{IDENTITY} {sysconfig.get_platform()} {ROOT}".encode())
    return digest.hexdigest()


def install_locked(venv: Path, name: str, *, editable: bool) -> None:
    """Make a venv hold exactly the locked packages, and this project when asked for."""
    uv = uv_executable()
    if uv is not None:
        try:
            if not is_sound(venv):
                make_venv(venv, pip=False)
            write_stamp(venv, INCOMPLETE)
            install_with_uv(uv, venv, name, editable=editable)
        except subprocess.CalledProcessError:
            say("uv could not install; trying again with pip")
        else:
            return
    make_venv(venv, pip=True)
    write_stamp(venv, INCOMPLETE)
    install_with_pip(venv, name, editable=editable)


def is_sound(venv: Path) -> bool:
    """Whether there is a venv that starts, in its own place, the Python asked for."""
    python = venv / "bin/python"
    if not python.exists():
        return False
    program = (
        "import os, sys; base = os.path.realpath(sys._base_executable);"
        "print(sys.prefix, base, sys.implementation.cache_tag)"
    )
    answer = subprocess.run(
        [str(python), "-c", program], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() == f"{venv} {IDENTITY}"


def install_with_uv(uv: Path, venv: Path, name: str, *, editable: bool) -> None:
    """Install by `uv pip sync`, which also removes what the locks do not name."""
    python = str(venv / "bin/python")
    environment = uv_environment()
    with locked_file(name) as file:
        run(
            [str(uv), "pip", "sync", "-q", "--require-hashes", "--python", python, file],
            environment,
        )
    if editable:
        project = ["--no-deps", "--no-build-isolation", "--offline", "--editable", str(ROOT)]
        run([str(uv), "pip", "install", "-q", "--python", python, *project], environment)


def install_with_pip(venv: Path, name: str, *, editable: bool) -> None:
    """Install by the pip inside the venv, which must be fresh."""
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    environment = pip_environment()
    with locked_file(name) as file:
        run([*pip, "--no-deps", "--require-hashes", "-r", file], environment)
    if editable:
        project = ["--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT)]
        run([*pip, *project], environment)


@contextlib.contextmanager
def locked_file(name: str) -> Iterator[str]:
    """Give the path of a lock file as this platform can install it."""
    path = REQUIREMENTS / name
    if "musl" not in (sysconfig.get_config_var("SOABI") or ""):
        yield str(path)
        return
    say("no local model here: its runtime has no wheel for musl")
    with tempfile.TemporaryDirectory() as folder:
        fitting = Path(folder) / name
        fitting.write_text(without(path.read_text(), "xllamacpp"))
        yield str(fitting)


def without(lock: str, name: str) -> str:
    """Take one package, its hashes and its remarks out of the text of a lock file."""
    kept: list[str] = []
    skipping = False
    for line in lock.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            skipping = line.startswith(f"{name}==")
        if not skipping:
            kept.append(line)
    return "".join(kept)


def uv_home() -> Path:
    """Give the folder of the pinned uv: a venv with uv and the pip that installed it."""
    pin = (REQUIREMENTS / "uv.txt").read_bytes()
    return TOOLS / f"uv-{hashlib.sha256(pin + IDENTITY.encode()).hexdigest()[:12]}"


def uv_executable() -> Path | None:
    """Give the pinned uv, installing it into `.tools/` once; None where it cannot be had."""
    home = uv_home()
    if (home / "bin/python").exists():
        return home / "bin/uv"
    TOOLS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        made = Path(folder) / "uv"
        try:
            make_venv(made, pip=True)
            pip = [str(made / "bin/python"), "-m", "pip", "install", "-q", "--no-deps"]
            safely = ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
            run([*pip, *safely, "-r", "requirements/uv.txt"], pip_environment())
            run([str(made / "bin/uv"), "--version"], quiet=True)
        except (subprocess.CalledProcessError, OSError):
            say("uv could not be installed; using pip, which is slower")
            return None
        remove(home)
        made.replace(home)  # whole or not at all; neither uv nor `python -m pip` knows its place
    return home / "bin/uv"


def pip_environment() -> dict[str, str]:
    """Give the environment for pip: the caller's, less what would install elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in MISDIRECTING}


def uv_environment() -> dict[str, str]:
    """Give the environment for uv, with the settings a person made for pip handed on."""
    environment = pip_environment()
    # This clone is the project; an active venv or a uv.toml further up is somebody else's.
    environment.pop("VIRTUAL_ENV", None)
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    for name, value in uv_settings(pip_settings()).items():
        environment.setdefault(name, value)

    cache = environment.get("UV_CACHE_DIR")
    if cache is None:
        caches = environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # Path.home() fails without one
        theirs = Path(caches) / "uv"
        usable = theirs.is_dir() and os.access(theirs, os.W_OK)
        cache = environment["UV_CACHE_DIR"] = str(theirs if usable else CACHE / "uv")
    Path(cache).mkdir(parents=True, exist_ok=True)
    if Path(cache).stat().st_dev != ROOT.stat().st_dev:
        environment.setdefault("UV_LINK_MODE", "copy")  # hard links end at the file system
    return environment


def pip_settings() -> dict[str, str]:
    """Read pip's settings, from its files and from the environment, as option → value."""
    listed = subprocess.run(
        [str(uv_home() / "bin/python"), "-m", "pip", "config", "list"],
        env=pip_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, tuple[int, str]] = {}
    for line in listed.stdout.splitlines():
        name, _, quoted = line.partition("=")
        section, _, option = name.rpartition(".")
        rank = {"global": 1, "install": 2, ":env:": 3}.get(section, 0)
        with contextlib.suppress(ValueError, SyntaxError):
            if rank > found.get(option, (0, ""))[0]:
                found[option] = (rank, str(ast.literal_eval(quoted)))
    return {option: value for option, (_, value) in found.items()}


def uv_settings(pip: Mapping[str, str]) -> dict[str, str]:
    """Say in uv's words what pip was told about indexes, certificates and proxies."""
    settings: dict[str, str] = {}
    for option, variable in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("extra-index-url", "UV_INDEX"),
        ("trusted-host", "UV_INSECURE_HOST"),
        ("cert", "SSL_CERT_FILE"),
        ("default-timeout", "UV_HTTP_TIMEOUT"),
        ("timeout", "UV_HTTP_TIMEOUT"),
        ("proxy", "ALL_PROXY"),
    ):
        if pip.get(option):
            settings[variable] = " ".join(pip[option].split())
    # uv reads a folder that is not there as an error, pip as empty.
    links = [
        link for link in pip.get("find-links", "").split() if "://" in link or Path(link).is_dir()
    ]
    if links:
        settings["UV_FIND_LINKS"] = ",".join(links)
    if "UV_INDEX" in settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does; hashes decide anyway
    if "SSL_CERT_FILE" not in settings:
        settings["UV_SYSTEM_CERTS"] = "true"
    return settings


def lock_requirements(*, upgrade: bool) -> None:
    """Write the lock files from pyproject.toml, keeping the versions they have unless told."""
    with alone():
        check_venv_module()
        uv = uv_executable()
        if uv is None:
            raise SetupError("locking needs uv, and uv could not be installed")
        common = [
            str(uv),
            "pip",
            "compile",
            "-q",
            "--universal",
            "--python-version",
            "3.11",
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--custom-compile-command",
            "make lock",
        ]
        if upgrade:
            common.append("--upgrade")
        # Paths are relative to the clone, so that none of them tells where it was.
        same = ["-c", "requirements/dev.txt"]
        environment = uv_environment()
        for name, *source in (
            ("uv.txt", "requirements/uv.in"),
            ("dev.txt", "pyproject.toml", "--all-extras", "--group", "dev"),
            ("run.txt", "pyproject.toml", "--all-extras", *same),
            ("demo.txt", "pyproject.toml", "--all-extras", "--group", "demo", *same),
        ):
            run([*common, *source, "-o", f"requirements/{name}"], environment)
        for path in sorted(REQUIREMENTS.glob("*.txt")):
            if "://" in path.read_text() or str(ROOT) in path.read_text():
                raise SetupError(f"{path.name} names an index or a folder of this machine")
    say("requirements/*.txt written; `make setup` installs them")


def make_wheel_venv(venv: Path, wheel: Path) -> None:
    """Install a wheel and its locked dependencies, and nothing of this clone, into a new venv."""
    remove(venv)
    install_locked(venv, "run.txt", editable=False)
    python = str(venv / "bin/python")
    uv = uv_executable()
    if uv is None:
        pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
        run([*pip, str(wheel)], pip_environment())
    else:
        pip = [str(uv), "pip", "install", "-q", "--no-deps", "--offline", "--python", python]
        run([*pip, str(wheel)], uv_environment())


def make_venv(path: Path, *, pip: bool) -> None:
    """Make an empty venv in place of whatever is there."""
    remove(path)
    run([BASE_PYTHON, "-m", "venv", *([] if pip else ["--without-pip"]), str(path)])


def check_venv_module() -> None:
    """Make sure Python can make a venv; Debian ships that part separately."""
    if can_make_venv():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if shutil.which("apt-get") is None or not BASE_PYTHON.startswith("/usr/bin/"):
        raise SetupError(f"{BASE_PYTHON} has no `venv` and `ensurepip`; choose another by PYTHON=…")
    if os.geteuid() != 0:
        raise SetupError(f"needs the package {package}: sudo apt-get install {package}")
    say(f"installing the package {package}")
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], quietly)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], quietly)
    if not can_make_venv():
        raise SetupError(f"{BASE_PYTHON} still cannot make a venv after installing {package}")
    # apt may have brought a newer build of this very Python: go on in that one.
    os.execv(BASE_PYTHON, [BASE_PYTHON, *sys.argv])  # noqa: S606  # no shell is wanted


def can_make_venv() -> bool:
    """Whether Python has both modules a venv with pip needs."""
    command = [BASE_PYTHON, "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run of this file works on the same clone."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another setup of this clone")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove(path: Path) -> None:
    """Delete a folder, or the link to one, if it is there."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, quiet: bool = False
) -> None:
    """Run a program from the clone's root; raise CalledProcessError when it fails."""
    subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else sys.stderr,
        check=True,
    )


def say(message: str) -> None:
    """Tell the person at the terminal; standard output stays for results."""
    print(f"setup: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
