"""What every writer of a conversation for an upstream works with."""

from __future__ import annotations

from cliproxy.dialects import where
from cliproxy.dialects._worded import worded
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
from cliproxy.ir.request import Image, Opaque, ServerResult, Text
from cliproxy.ir.server_tools import CODE, Pairs, ran


class Telling:
    """Base of the dialects' own writers of messages.

    Args:
        caps: What the target takes.
        names: How tools are called there.
        losses: Where what cannot be said is reported.
        paths: How the client calls the places of what it said.
        ran: Calls of the provider's own tools that have their result.
        own: Whether the client speaks the same dialect.
    """

    def __init__(
        self,
        caps: Caps,
        names: NameMap,
        losses: Losses,
        paths: where.Paths,
        ran: Pairs,
        *,
        own: bool,
    ) -> None:
        self._caps = caps
        self._names = names
        self._losses = losses
        self._paths = paths
        self._ran = ran
        self._own = own

    def _made(self, part: ServerResult, path: str) -> None:
        """Report the files of code that ran elsewhere: they stay where they are."""
        if not self._own and part.kind == CODE and ran(part.payload).files:
            made = self._paths.member(path, "files")
            self._losses.add(made, "the files that the code made stay with their provider")

    def _worded(self, part: Opaque, path: str, *, draws: bool = False) -> Text | Image | None:
        """Return another dialect's part in words of this one, None if there are none."""
        said = None if self._own else worded(part, self._names, draws=draws)
        if said is not None:
            self._losses.add(path, f"{part.kind} is said in other words", "info", "approximated")
        return said
