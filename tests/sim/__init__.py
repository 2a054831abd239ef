"""Simulated AI providers: four API dialects on a loopback port, scripted by tests.

Written from the vendors' published behaviour and checked against their SDKs. Nothing here imports
the product: a simulator that shared its code could not witness against it.
"""

from tests.sim.record import Recorded
from tests.sim.script import (
    Answer,
    Call,
    Events,
    Failure,
    Faults,
    Gate,
    Image,
    Raw,
    Refusal,
    Reply,
    Text,
    Thinking,
    Usage,
    html,
)
from tests.sim.server import Sim, tool_loop

__all__ = [
    "Answer",
    "Call",
    "Events",
    "Failure",
    "Faults",
    "Gate",
    "Image",
    "Raw",
    "Recorded",
    "Refusal",
    "Reply",
    "Sim",
    "Text",
    "Thinking",
    "Usage",
    "html",
    "tool_loop",
]
