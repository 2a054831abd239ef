"""What every writer of tool declarations for an upstream does."""

from __future__ import annotations

from cliproxy.dialects._client_tools import as_function
from cliproxy.ir.loss import Losses
from cliproxy.ir.names import NameMap, custom_as_function
from cliproxy.ir.request import Custom, Function, ServerTool


class Declaring:
    """Base of the dialects' own writers of tools.

    Args:
        names: How tools are called there.
        losses: Where what cannot be declared is reported.
    """

    def __init__(self, names: NameMap, losses: Losses) -> None:
        self._names = names
        self._losses = losses
        self._seen: set[str] = set()

    def _function(self, tool: Function, path: str) -> None:
        """Write a function."""
        raise NotImplementedError

    def _fresh(self, name: str, path: str) -> bool:
        """Tell whether a name is new: upstreams refuse two declarations of one name."""
        if name in self._seen:
            self._losses.add(path, f"a tool named {name} is already declared")
            return False
        self._seen.add(name)
        return True

    def _custom_function(self, tool: Custom, path: str) -> None:
        """Declare a freeform tool as a function of one text."""
        description, schema = custom_as_function(tool.description, tool.format)
        if tool.format and tool.format.get("type") == "grammar":
            self._losses.add(
                f"{path}.format", "the grammar is described, not enforced", "warn", "approximated"
            )
        stand_in = Function(
            tool.name, description, schema, namespace=tool.namespace, extras=tool.extras
        )
        self._function(stand_in, path)

    def _as_function(self, tool: ServerTool, path: str) -> bool:
        """Declare a tool that the client runs as an ordinary function, if it is such a tool."""
        function = as_function(tool)
        if function is None:
            return False
        self._losses.add(path, "the typed tool became an ordinary function", "info", "approximated")
        self._function(function, path)
        return True
