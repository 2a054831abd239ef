"""uvicorn's websocket protocol, with bounds where it has none, and leave to finish an answer."""

from __future__ import annotations

import logging
from typing import Any, Final

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

_MALFORMED: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # It would write every address with its query, where a key may be.
        self.logger = logging.getLogger("cliproxy.websocket")
        self.logger.setLevel(logging.WARNING)
        self.conn.debug = False

    def data_received(self, data: bytes) -> None:
        """Answer what is no handshake, too."""
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.transport.write(_MALFORMED)
            self.transport.close()

    def handle_text(self, event: Frame) -> None:
        """Take a message, or its first piece."""
        super().handle_text(event)
        self._gather()

    def handle_bytes(self, event: Frame) -> None:
        """Take a message, or its first piece."""
        super().handle_bytes(event)
        self._gather()

    def _gather(self) -> None:
        # One buffer: a list of ever so small pieces takes many times their bytes.
        self.frames = [bytearray(piece) for piece in self.frames]  # type: ignore[misc]

    def handle_cont(self, event: Frame) -> None:
        """Take a further piece of a message."""
        buffer: Any = self.frames[0]
        buffer += event.data
        if event.fin:
            self.frames = [bytes(buffer)]
            self.send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read what it is sent."""
        output = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(output)

    async def send(self, message: Any) -> None:
        """Send what the application says."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # A refusal is the end of a handshake, too.
            self.handshake_complete = True

    @property
    def idle(self) -> bool:
        """Whether nothing is under way any more."""
        return self.close_sent or not self.handshake_complete

    def shutdown(self) -> None:
        """Let the application finish a turn that runs; it closes the connection."""
        if self.handshake_complete and not self.close_sent:
            leave: Any = {"type": "websocket.leave"}
            self.queue.put_nowait(leave)
            return
        super().shutdown()
