"""Real servers on loopback: one that records and answers HTTP, one that misbehaves by script, one that only counts."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REQUEST_END = b"\r\n\r\n"


@dataclass
class Heard:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


class Receiver:
    """An HTTP server that keeps what it hears and gives the answer it is told to give."""

    def __init__(self, answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[Heard] = []
        self.answer = answer or Answer()
        self.names: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            tls.sni_callback = lambda _sock, name, _context: self.names.append(name)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?part=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def reply(self, heard: Heard) -> Answer | None:
        """Say what to answer; None cuts the connection."""
        return self.answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.heard.append(Heard(self.command, self.path, headers, body))
                answer = receiver.reply(receiver.heard[-1])
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(answer.body)

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

            def handle(self) -> None:
                with suppress(OSError):  # a client that refuses our certificate
                    super().handle()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Misbehaving:
    """A socket that does with each connection what `script` says; `over` is set when the test ends."""

    def __init__(self, script: Callable[[socket.socket, threading.Event], None]) -> None:
        self._script = script
        self.over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self._script(connection, self.over)

    def close(self) -> None:
        self.over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Counter:
    """Counts connections to one port on every local address, IPv4 and IPv6."""

    def __init__(self) -> None:
        self.count = 0
        self._socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._socket.getsockname()[1]

    def settled(self) -> int:
        """Return how many connections arrived before this moment: ours is the last in the queue."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            mine = last.getsockname()[1]
            while True:
                connection, peer = self._socket.accept()
                connection.close()
                if peer[1] == mine:
                    return self.count
                self.count += 1

    def close(self) -> None:
        self._socket.close()


@contextmanager
def a_full_queue(address: str, port: int = 0) -> Iterator[int]:
    """Listen, but let no further connection through: to the kernel it looks like a host behind a silent firewall."""
    with ExitStack() as stack:
        busy = stack.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(busy.getsockname())
        yield busy.getsockname()[1]


def read_request(connection: socket.socket) -> bytes:
    """Read one request with its body."""
    text = b""
    while REQUEST_END not in text:
        if not (chunk := connection.recv(65_536)):
            return text
        text += chunk
    head, _, body = text.partition(REQUEST_END)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    while len(body) < length and (chunk := connection.recv(65_536)):
        body += chunk
    return head + REQUEST_END + body


def reset(connection: socket.socket) -> None:
    """End a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
