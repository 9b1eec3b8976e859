"""Just enough of a WebSocket client (RFC 6455) to listen to Foxglove's server as the application does."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from types import TracebackType
from typing import Any, Self

TEXT, BINARY = 1, 2


class WebSocketClient:
    """`with WebSocketClient(port) as client:` on this machine."""

    def __init__(self, port: int, seconds: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._stream = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: foxglove.sdk.v1\r\n\r\n".encode()
        )
        self.status = self._stream.readline().decode().strip()
        while self._stream.readline().strip():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def receive(self) -> tuple[int, bytes]:
        """The next frame: (opcode, payload)."""
        first, second = self._stream.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._stream.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._stream.read(8))
        return first & 0x0F, self._stream.read(length)

    def json(self, operation: str) -> dict[str, Any]:
        """The next JSON message with this `op`."""
        while True:
            kind, payload = self.receive()
            if kind == TEXT and json.loads(payload)["op"] == operation:
                return dict(json.loads(payload))

    def binary(self) -> bytes:
        """The next binary frame."""
        while True:
            kind, payload = self.receive()
            if kind == BINARY:
                return payload

    def send(self, message: dict[str, Any]) -> None:
        """Send a JSON message of at most 125 bytes (masked, as clients must)."""
        data, mask = json.dumps(message).encode(), os.urandom(4)
        assert len(data) <= 125
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self._socket.sendall(bytes([0x80 | TEXT, 0x80 | len(data)]) + mask + masked)
