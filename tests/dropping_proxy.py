"""A proxy in front of a server that cuts connections in the middle of what they bring."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SOME = 2**16  # bytes


@dataclass(eq=False)
class DroppingProxy:
    """What it does, and how often it did.

    Attributes:
        address: To ask in place of the server's.
        after: Bytes of an answer after which a connection is cut.
        drops: How many connections are still to be cut.
        dropped: How many were.
    """

    address: str
    after: int
    drops: int
    dropped: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, client: socket.socket, server: socket.socket) -> None:
        """Bring answers back, or a part of them."""
        brought = 0
        with contextlib.suppress(OSError):
            while data := server.recv(SOME):
                brought += len(data)
                if brought > self.after and self._may_drop():
                    client.sendall(data[: max(0, len(data) - (brought - self.after))])
                    break
                client.sendall(data)
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _may_drop(self) -> bool:
        with self.lock:
            if not self.drops:
                return False
            self.drops -= 1
            self.dropped += 1
            return True


@contextlib.contextmanager
def dropping_proxy(server: str, *, after: int, drops: int) -> Iterator[DroppingProxy]:
    """A started proxy.

    Args:
        server: Address of the server.
        after: See `DroppingProxy`.
        drops: See `DroppingProxy`.

    Yields:
        The proxy.
    """
    target = urlsplit(server)
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = DroppingProxy(f"http://127.0.0.1:{listener.getsockname()[1]}", after, drops)

    def ask(client: socket.socket, behind: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(SOME):
                behind.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                behind = socket.create_connection((target.hostname, target.port))
                threading.Thread(target=ask, args=(client, behind), daemon=True).start()
                threading.Thread(target=proxy.carry, args=(client, behind), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        listener.close()
