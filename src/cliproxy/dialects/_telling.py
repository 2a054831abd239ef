"""What every writer of a conversation for an upstream works with."""

from __future__ import annotations

from cliproxy.dialects import where
from cliproxy.dialects._worded import worded
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
from cliproxy.ir.request import Image, Opaque, Text
from cliproxy.ir.server_tools import Pairs


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

    def _worded(self, part: Opaque, path: str, *, draws: bool = False) -> Text | Image | None:
        """Return another dialect's part in words of this one, None if there are none."""
        said = None if self._own else worded(part, self._names, draws=draws)
        if said is not None:
            self._losses.add(path, f"{part.kind} is said in other words", "info", "approximated")
        return said
