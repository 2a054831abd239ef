"""Runs llama.cpp's server until standard input closes. Started by `local.py`, never imported."""

from __future__ import annotations

import sys

DEFAULTS = ["smollm2", "8192", "2", "0"]


def main(argv: list[str]) -> None:
    """Serve the model file `argv[0]` on a free loopback port and print `listening URL`."""
    import xllamacpp  # noqa: PLC0415  # heavy; only this child pays for it

    path, name, context, parallel, threads = [*argv, *DEFAULTS[len(argv) - 1 :]]
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = int(context) * int(parallel)
    params.n_parallel = int(parallel)
    params.use_jinja = True
    # Otherwise answers would name the file's path on this machine.
    params.model_alias = {name}
    if int(threads):
        params.cpuparams.n_threads = int(threads)
    server = xllamacpp.Server(params)
    sys.stdout.write(f"listening {server.listening_address}\n")
    sys.stdout.flush()
    # Blocks until our parent closes the pipe or dies.
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main(sys.argv[1:])
