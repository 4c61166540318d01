"""Messages of plain data over a socket, with a limit on their size and on the time that they may take."""

import json
import socket
import time
from typing import Any

from prm_scaling.verify.inside.plain import MOST_BYTES, Unplain, dump


class Gone(ConnectionError):
    """The other side has ended."""


class Channel:
    """One end. A message from the other end may be anything: whoever receives it checks what it is."""

    def __init__(self, end: socket.socket, most: int = MOST_BYTES) -> None:
        self.end = end
        self.most = most
        self.rest = bytearray()

    def send(self, message: Any) -> None:
        """Raises ``Unplain`` if the message is too large, ``Gone`` if nobody is there."""
        try:
            self.end.sendall(dump(message, self.most))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error

    def receive(self, deadline: float | None = None) -> Any:
        """The next message; ``deadline`` is on the monotonic clock.

        Raises:
            TimeoutError: there is none by then.
            Gone: the other side has ended.
            Unplain: it is too large, or no JSON.
        """
        length = int.from_bytes(self._read(4, deadline), "big")
        if length > self.most:
            raise Unplain("too large")
        try:
            return json.loads(self._read(length, deadline))
        except (ValueError, RecursionError) as error:
            raise Unplain("no JSON") from error

    def _read(self, count: int, deadline: float | None) -> bytes:
        while len(self.rest) < count:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self.end.settimeout(left)
            try:
                piece = self.end.recv(1 << 16)
            except ConnectionResetError as error:
                raise Gone from error
            if not piece:
                raise Gone
            self.rest += piece
        data = bytes(self.rest[:count])
        del self.rest[:count]
        return data
