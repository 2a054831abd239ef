"""Tools that a provider defines by type but the *client* runs, as plain functions.

Anthropic's shell, text editor and memory tools and OpenAI's shells and patches have no declaration
of their own: the model knows them by type and the client executes the calls. For a target without
such types the call must still reach the client under the same name and with the same arguments, so
the builder declares an ordinary function with the inputs the type stands for. Tools that need the
provider's own eyes (computer use) are not here.
"""

from __future__ import annotations

from typing import Any, Final

from cliproxy.ir.request import Function, ServerTool

Schema = dict[str, Any]


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _integer(description: str) -> Schema:
    return {"type": "integer", "description": description}


def _commands(*names: str) -> Schema:
    return {"type": "string", "enum": list(names), "description": "What to do."}


def _object(properties: Schema, *required: str) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


_RANGE: Final[Schema] = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "First and last line to show, counted from 1; -1 means the end of the file.",
}

_BASH: Final = _object(
    {
        "command": _text("The shell command to run. Required unless restart is true."),
        "restart": {"type": "boolean", "description": "Start the shell afresh."},
    }
)

_MEMORY: Final = _object(
    {
        "command": _commands("view", "create", "str_replace", "insert", "delete", "rename"),
        "path": _text("Path under /memories."),
        "view_range": _RANGE,
        "file_text": _text("create: the content of the new file."),
        "old_str": _text("str_replace: the text to replace."),
        "new_str": _text("str_replace: the text to put in its place."),
        "insert_line": _integer("insert: the line after which to insert."),
        "insert_text": _text("insert: the text to insert."),
        "old_path": _text("rename: the present path."),
        "new_path": _text("rename: the new path."),
    },
    "command",
)


def _editor(*, undo: bool, insert_field: str) -> Schema:
    commands = ("view", "create", "str_replace", "insert", *(("undo_edit",) if undo else ()))
    properties: Schema = {
        "command": _commands(*commands),
        "path": _text("Absolute path of the file or directory."),
        "view_range": _RANGE,
        "file_text": _text("create: the content of the new file."),
        "old_str": _text("str_replace: the text to replace; it must occur exactly once."),
        "new_str": _text("str_replace: the text to put in its place. insert (old form): the text."),
        "insert_line": _integer("insert: the line after which to insert; 0 is the beginning."),
    }
    if insert_field != "new_str":
        properties[insert_field] = _text("insert: the text to insert.")
        properties["new_str"] = _text("str_replace: the text to put in its place.")
    return _object(properties, "command", "path")


_TIMEOUT: Final = _integer("Milliseconds after which a command is ended.")

_LOCAL_SHELL: Final = _object(
    {
        "command": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The program and its arguments, such as bash, -lc and a script.",
        },
        "working_directory": _text("Where it is run."),
        "timeout_ms": _TIMEOUT,
        "env": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Environment variables.",
        },
        "user": _text("The user to run it as."),
    },
    "command",
)

_SHELL: Final = _object(
    {
        "commands": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The shell commands to run.",
        },
        "timeout_ms": _TIMEOUT,
        "max_output_length": _integer("Characters of output to return at most."),
    },
    "commands",
)

_PATCH: Final = _object(
    {
        "type": {
            "type": "string",
            "enum": ["create_file", "update_file", "delete_file"],
            "description": "What becomes of the file.",
        },
        "path": _text("The file, relative to the workspace."),
        "diff": _text(
            "Not for delete_file. create_file: the new content, + before every line. update_file:"
            " for every place a line @@, perhaps with the name of the function or class it is in,"
            " then the lines of it: a space before what stays, - before what goes, + before what"
            " comes, and some lines that stay around each change. There are no line numbers."
        ),
    },
    "type", "path",
)  # fmt: skip

_TYPED: Final = {"local_shell": _LOCAL_SHELL, "shell": _SHELL, "apply_patch": _PATCH}
"""OpenAI's tools by their wire type, which is their name."""

_DESCRIPTIONS: Final = {
    "local_shell": "Run a program on the user's computer and return what it prints.",
    "shell": "Run shell commands, one after another, and return what each prints.",
    "apply_patch": "Create, change or delete one file.",
    "bash": "Run a command in a persistent shell and return what it prints.",
    "text_editor": "View, create and edit text files.",
    "memory": "Read and write the notes kept under /memories between conversations.",
}


def as_function(tool: ServerTool) -> Function | None:
    """Return the function that stands in for a typed client-run tool, None if there is none."""
    wire_type = ""
    if isinstance(tool.native, dict):
        wire_type = str(tool.native.get("type") or "")
    match tool.kind:
        case _ if tool.calls:
            described = _DESCRIPTIONS[tool.name]
            return Function(tool.name, described, _TYPED[tool.name], cache=tool.cache)
        case "bash":
            schema = _BASH
        case "memory":
            schema = _MEMORY
        case "text_editor":
            newest = "20250728" in wire_type or not wire_type
            schema = _editor(
                undo="20241022" in wire_type or "20250124" in wire_type,
                insert_field="insert_text" if newest else "new_str",
            )
        case _:
            return None
    return Function(
        name=tool.name,
        description=_DESCRIPTIONS[tool.kind],
        schema=schema,
        cache=tool.cache,
    )
