"""The outside system of a scenario: it counts what reaches it by idempotency key, and answers by script."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[["Hit"], tuple[int, bytes]]


@dataclass
class Hit:
    """One request that arrived."""

    key: str
    path: str
    fence: int
    epoch: int
    action: str
    began: float
    ended: float = 0.0


class Target:
    """Answers after a moment of `seconds`; a path in `scripts` is answered by its script."""

    def __init__(self, seed: int, seconds: tuple[float, float] = (0.1, 0.5)) -> None:
        self.hits: list[Hit] = []
        self.seconds = seconds
        self.scripts: dict[str, Script] = {}
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path: str = "act") -> str:
        return f"http://{self.place}/{path}"

    def of(self, keys: set[str]) -> list[Hit]:
        with self._lock:
            return [hit for hit in self.hits if hit.key in keys]

    def times(self, keys: set[str]) -> Counter[str]:
        """How often each of these keys arrived; a key that never did is 0."""
        return Counter(hit.key for hit in self.of(keys))

    def at_once(self, keys: set[str]) -> dict[str, int]:
        """The most requests that were in work at the same moment, by path."""
        most: dict[str, int] = {}
        for path in {hit.path for hit in self.of(keys)}:
            hits = [hit for hit in self.of(keys) if hit.path == path]
            edges = sorted([(hit.began, 1) for hit in hits] + [(hit.ended or time.monotonic(), -1) for hit in hits])
            now = peak = 0
            for _, step in edges:
                now += step
                peak = max(peak, now)
            most[path] = peak
        return most

    def answer(self, hit: Hit) -> tuple[int, bytes]:
        with self._lock:
            self.hits.append(hit)
            wait = self._random.uniform(*self.seconds)
        if script := self.scripts.get(hit.path):
            return script(hit)
        time.sleep(wait)
        return 200, b'{"id": "done"}'

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told: dict[str, Any] = json.loads(body).get("data", {})
                key, fence = self.headers["Idempotency-Key"], int(self.headers["X-Fence"])
                hit = Hit(key, self.path.strip("/"), fence, told["epoch"], told["action"], time.monotonic())
                status, answer = target.answer(hit)
                hit.ended = time.monotonic()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def handle(self) -> None:
                with suppress(OSError):  # whoever asked was killed
                    super().handle()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed client is no news."""
