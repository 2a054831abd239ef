"""What every writer of a conversation for an upstream works with."""

from __future__ import annotations

from cliproxy.dialects import where
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap
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
