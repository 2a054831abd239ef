"""`cliproxy explain`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from cliproxy.app.explain import SAMPLES, Choice, explain
from cliproxy.app.runtime import Runtime
from cliproxy.base import json
from cliproxy.base.errors import ConfigError, GatewayError
from cliproxy.cli.config import loaded
from cliproxy.cli.tables import plain


def command(
    model: str,
    config_path: str | None,
    dialect: str,
    body: Path | None,
    *,
    stream: bool,
    as_json: bool,
) -> None:
    """Print who would serve a request and how. Raises `ConfigError`."""
    if dialect not in SAMPLES:
        raise ConfigError(f"There is no dialect {dialect!r}; there are {', '.join(SAMPLES)}.")
    _, config = loaded(config_path)
    gateway = Runtime(config).app.generation.gateway
    try:
        choices = explain(gateway, model, dialect=dialect, body=_body(body), stream=stream)
    except GatewayError as err:
        raise ConfigError(
            f"This request would be refused with {err.status}: {err.message}"
        ) from err
    if as_json:
        sys.stdout.write(json.dumps_str(msgspec.to_builtins(choices)) + "\n")
        return
    strategy = config.routing.strategy
    sys.stdout.write(
        f"{model} asked in {dialect}: {len(choices)} "
        f"{'way' if len(choices) == 1 else 'ways'}, accounts of equal priority by {strategy}\n"
    )
    for number, choice in enumerate(choices, 1):
        sys.stdout.write(plain("\n" + _told(number, choice)))


def _body(path: Path | None) -> json.Obj | None:
    if path is None:
        return None
    try:
        value = json.loads(path.read_bytes())
    except OSError as err:
        raise ConfigError(f"{path} cannot be read: {err.strerror}.") from err
    except json.InvalidJson as err:
        raise ConfigError(f"{path} is not JSON: {err}") from err
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold a JSON object.")
    return value


def _told(number: int, choice: Choice) -> str:
    rank = f"priority {choice.priority}, weight {choice.weight}"
    lines = [f"{number}. {choice.label} ({choice.account}, {rank}): {choice.state}"]
    if choice.error:
        return "\n".join([*lines, f"   cannot: {choice.error}", ""])
    lines += [f"   {choice.fidelity}: {choice.method} {choice.url}"]
    if choice.proxy:
        lines.append(f"   through {choice.proxy}")
    lines += [f"   {name}: {value}" for name, value in choice.headers.items()]
    lines += [f"   {line}" for line in json.dumps_str(choice.body).splitlines()]
    lines += [f"   lost: {loss.field} ({loss.reason})" for loss in choice.losses]
    return "\n".join([*lines, ""])
