"""What the client's thinking wish means for an upstream's model, faults under the client's name."""

from __future__ import annotations

from cliproxy.base.errors import BadRequest
from cliproxy.dialects import where
from cliproxy.ir.caps import Caps
from cliproxy.ir.loss import Losses
from cliproxy.ir.request import IRRequest
from cliproxy.ir.thinking import Resolved, resolve


def thinking_wish(req: IRRequest, caps: Caps, losses: Losses, *, same_family: bool) -> Resolved:
    """Resolve the wish. Raises `BadRequest` naming the client's own field."""
    try:
        return resolve(req, caps, losses, same_family=same_family)
    except BadRequest as err:
        err.param = where.field(req, "thinking")
        raise
