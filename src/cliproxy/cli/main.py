"""Commands and their options. Each command's own module is imported only when it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from cliproxy import __version__
from cliproxy.base.errors import ConfigError
from cliproxy.cli.env_file import read_env_file, tell
from cliproxy.cli.flags import translated

app: Final = App(
    name="cliproxy",
    help="One local endpoint over every AI account you have.",
    version=__version__,
    version_flags=["--version"],
)


@app.default
@app.command
def serve(
    *,
    config: str | None = None,
    host: str | None = None,
    port: Annotated[int | None, Parameter(help="0 takes a free one.")] = None,
    password: Annotated[str, Parameter(show=False)] = "",
) -> None:
    """Serve the proxy.

    Parameters
    ----------
    config
        Configuration file. Default: CONFIG_PATH, ./config.yaml, ~/.cli-proxy-api/config.yaml; when
        there is none, the last one is written with fresh keys.
    host
        Address to listen on instead of the configured one.
    port
        Port to listen on instead of the configured one.
    """
    from cliproxy.cli.serve import command  # noqa: PLC0415  # lazy by design

    command(config, host, port, password.strip())


@app.command
def models(
    *,
    config: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """List the models the configuration serves.

    Parameters
    ----------
    config
        Configuration file, found as `serve` finds it.
    as_json
        Print JSON instead of a table.
    """
    from cliproxy.cli.models import command  # noqa: PLC0415  # lazy by design

    command(config, as_json=as_json)


@app.command
def login(
    provider: str,
    file: Path | None = None,
    *,
    config: str | None = None,
    browser: bool = True,
    way: str = "",
    device: Annotated[bool, Parameter(negative="")] = False,
    cookie: Annotated[bool, Parameter(negative="")] = False,
    paste: Annotated[bool, Parameter(negative="")] = False,
    setup_token: Annotated[bool, Parameter(negative="")] = False,
    proxy: str | None = None,
    callback_port: int = 0,
    project: str = "",
    workspace: str = "",
    alias: str = "",
    location: str = "",
    prefix: str = "",
) -> None:
    """Add an account by logging in; of Vertex by the key file of a service account.

    Parameters
    ----------
    provider
        claude, codex, gemini, antigravity, qwen, iflow, kimi, xai or vertex.
    file
        Vertex only: the service account's key.
    config
        Configuration file, found as `serve` finds it.
    browser
        Open the browser; --no-browser prints the address only.
    way
        browser, device or cookie, where a provider has several. Default: its usual one.
    device
        Log in by typing a code on any other device; the same as --way device.
    cookie
        iFlow only: log in by the browser's cookie, read from the terminal.
    paste
        Claude and Gemini: the page shows a code to paste, for machines without a browser.
    setup_token
        Claude only: keep a token made by `claude setup-token`, read from the terminal.
    proxy
        Proxy for this login.
    callback_port
        Local port for the browser's answer instead of the provider's usual one.
    project
        Gemini only: the Google Cloud project; ALL for every one.
    workspace
        Codex only: the ChatGPT workspace to log in to.
    alias
        How to call an account whose provider does not say whose it is.
    location
        Vertex only: the region.
    prefix
        Vertex only: models are called prefix/model.
    """
    from cliproxy import login as logins  # noqa: PLC0415  # lazy by design
    from cliproxy.app.logging_in import Wish  # noqa: PLC0415
    from cliproxy.cli.login import command  # noqa: PLC0415

    options = {
        "project_id": project,
        "alias": alias,
        "location": location,
        "prefix": prefix,
        "workspace": workspace,
        "paste": "true" if paste else "",
    }
    wish = Wish(
        provider=logins.named(provider) or provider,
        way="device" if device else "cookie" if cookie else way,
        secret="setup_token" if setup_token else "cookie" if cookie or way == "cookie" else "",
        browser=browser,
        proxy=proxy,
        port=callback_port,
        options={key: value for key, value in options.items() if value},
    )
    command(config, provider, file, wish)


@app.command(name="import")
def import_(
    *only: str,
    config: str | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    link: Annotated[bool, Parameter(negative="")] = False,
    copy: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Add the logins of Claude Code, Codex, Gemini CLI and others on this machine.

    A linked login is read where its program keeps it and never refreshed here; a copied one is ours
    from then on.

    Parameters
    ----------
    only
        Programs or providers; all by default.
    config
        Configuration file, found as `serve` finds it.
    dry_run
        Show what would be added, and change nothing.
    link
        Link all of them. Default: link where a copy would log the program out, else copy.
    copy
        Copy all of them.
    """
    from cliproxy.cli.importing import command  # noqa: PLC0415  # lazy by design

    command(config, only, "link" if link else "copy" if copy else None, dry_run=dry_run)


@app.command
def accounts(
    *,
    quota: Annotated[bool, Parameter(negative="")] = False,
    config: str | None = None,
    url: str | None = None,
    key: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """List the accounts, the state of their logins, and what is left of them.

    With a management key the running proxy is asked, which knows who rests; without, the files.

    Parameters
    ----------
    quota
        Ask the providers what is left of each account.
    config
        Configuration file, found as `serve` finds it.
    url
        A proxy elsewhere. Default: the configuration's own.
    key
        Its management key. Default: MANAGEMENT_PASSWORD.
    as_json
        Print JSON instead of a table.
    """
    from cliproxy.cli.accounts import command  # noqa: PLC0415  # lazy by design

    command(config, url, key, quota=quota, as_json=as_json)


@app.command
def connect(
    client: str,
    *,
    config: str | None = None,
    model: str | None = None,
    url: str | None = None,
) -> None:
    """Print the settings that point a client at this proxy.

    Parameters
    ----------
    client
        claude-code, codex, gemini-cli, opencode, qwen-code, aider, openai-sdk, anthropic-sdk,
        google-genai-sdk or curl.
    config
        Configuration file, found as `serve` finds it.
    model
        The model to use. Default: the first one there is.
    url
        The proxy's URL as the client sees it. Default: from the configuration.
    """
    from cliproxy.cli.connect import command  # noqa: PLC0415  # lazy by design

    command(client, config, model, url)


@app.command
def explain(
    model: str,
    *,
    config: str | None = None,
    dialect: Annotated[str, Parameter(name="--from")] = "openai-chat",
    body: Path | None = None,
    stream: bool = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show who would serve a request, the exact upstream request, and what would be lost.

    Nothing is sent. Secrets are masked.

    Parameters
    ----------
    model
        The model as a client would name it.
    config
        Configuration file, found as `serve` finds it.
    dialect
        The client's dialect: openai-chat, openai-completions, openai-responses, anthropic, gemini,
        code-assist.
    body
        File with the client's request. Default: a short greeting.
    stream
        As a streaming request.
    as_json
        Print JSON instead of text.
    """
    from cliproxy.cli.explain import command  # noqa: PLC0415  # lazy by design

    command(model, config, dialect, body, stream=stream, as_json=as_json)


@app.command
def doctor(
    *,
    config: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Check configuration, file modes, keys, names, hosts and the clock; say how to cure each.

    Exits with status 1 when something is wrong.

    Parameters
    ----------
    config
        Configuration file, found as `serve` finds it.
    as_json
        Print JSON instead of text.
    """
    from cliproxy.cli.doctor import command  # noqa: PLC0415  # lazy by design

    command(config, as_json=as_json)


@app.command
def usage(
    *,
    by: str = "model",
    days: int | None = None,
    since: str | None = None,
    until: str | None = None,
    url: str | None = None,
    key: str | None = None,
    config: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show requests, tokens and cost at list price.

    Asks the running proxy when there is a management key, else reads its file.

    Parameters
    ----------
    by
        model, account, client, provider, operation, day or hour; several with commas.
    days
        Only the last days, today included.
    since
        Only from this date or time on.
    until
        Only up to this date (included) or time.
    url
        The proxy's address. Default: from the configuration.
    key
        The management key. Default: MANAGEMENT_PASSWORD in the environment.
    config
        Configuration file, found as `serve` finds it.
    as_json
        Print JSON instead of a table.
    """
    from cliproxy.cli.usage import Question, command, days_ago  # noqa: PLC0415  # lazy by design

    if days is not None:
        since = days_ago(days)
    command(Question(by, since or "", until or ""), config, url, key, as_json=as_json)


def run() -> None:
    """Run the command in `sys.argv`; configuration faults end with status 1 and one sentence."""
    try:
        tell(read_env_file(Path(".env"), os.environ))
        app(translated(_double_dashes(sys.argv[1:])))
    except ConfigError as err:
        from cliproxy.cli.tables import plain  # noqa: PLC0415  # lazy by design

        sys.stderr.write(plain(f"cliproxy: {err}\n"))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _double_dashes(argv: list[str]) -> list[str]:
    """Accept long options with one dash, as Go programs write them (`-config F`)."""
    return [
        f"-{arg}"
        if len(arg) > 2 and arg[0] == "-" and arg[1].isalpha() and "-" not in arg[:2][1:]
        else arg
        for arg in argv
    ]
