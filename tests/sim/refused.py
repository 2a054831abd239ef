"""A request that an API would refuse, and why."""

from __future__ import annotations


class Refused(Exception):
    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
