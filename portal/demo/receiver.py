"""The demo's outside system: takes signed webhooks, acts on each message once, and keeps a ledger of what it did.

Standard library only, so that it checks the signature by its own reading of Standard Webhooks, not by our library.
Start it with a listening socket and a folder: `python3 -m portal.demo.receiver FD FOLDER`.
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

TOLERANCE_SECONDS = 300
LARGEST = 262_144


class Ledger:
    """What was done, a line of JSON each; a message that comes again gets the first answer."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "ledger.jsonl"
        self.lock = Lock()
        self.rows = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def act(self, message: str, fence: int, told: dict) -> tuple[int, dict]:
        """Write the act down and answer with its number; refuse one that is older than what was done already."""
        with self.lock:
            done = next((row for row in self.rows if row["message"] == message), None)
            if done:
                return 200, {"id": done["id"], "repeated": True}
            action = f"{told.get('product')}:{told.get('action')}"
            if any(row["action"] == action and row["fence"] > fence for row in self.rows):
                return 409, {"error": "a later act on this target was done already"}
            row = {"id": f"revocation-{len(self.rows) + 1}", "message": message, "fence": fence, "action": action}
            row |= {"incident": told.get("incident"), "target": told.get("target"), "at": int(time.time())}
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            self.rows.append(row)
            return 200, {"id": row["id"]}


class Receiver(BaseHTTPRequestHandler):
    """`POST /revoke` acts, `GET /ledger` shows what was done."""

    ledger: Ledger
    secret: bytes

    def do_GET(self) -> None:
        """Show the ledger."""
        self._answer(200, self.ledger.rows) if self.path == "/ledger" else self._answer(404, {"error": "no such page"})

    def do_POST(self) -> None:
        """Act on a signed message."""
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 < size <= LARGEST:
            return self._answer(413, {"error": "too large or empty"})
        body = self.rfile.read(size)
        if not is_signed(self.secret, dict(self.headers.items()), body, time.time()):
            return self._answer(401, {"error": "not signed by the portal"})
        told = json.loads(body).get("data", {})
        fence = int(self.headers.get("X-Fence") or 0)
        return self._answer(*self.ledger.act(self.headers["webhook-id"], fence, told))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """One line a request on standard output."""
        print(f"receiver: {format % args}", flush=True)

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def is_signed(secret: bytes, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Whether the message is the portal's and fresh (Standard Webhooks 1.0.0)."""
    named = {name.lower(): value for name, value in headers.items()}
    message, sent = named.get("webhook-id", ""), named.get("webhook-timestamp", "")
    if not (message and sent.isdecimal() and abs(now - int(sent)) <= TOLERANCE_SECONDS):
        return False
    expected = base64.b64encode(hmac.digest(secret, f"{message}.{sent}.".encode() + body, hashlib.sha256))
    given = [part.partition(",")[2] for part in named.get("webhook-signature", "").split() if part.startswith("v1,")]
    return any(hmac.compare_digest(expected, one.encode()) for one in given)


def serve(listening: socket.socket, folder: Path, secret: str) -> None:
    """Answer until the process is ended."""
    Receiver.ledger, Receiver.secret = Ledger(folder), base64.b64decode(secret.removeprefix("whsec_"))
    server = ThreadingHTTPServer(listening.getsockname(), Receiver, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), os.environ["LASTGOOD_DEMO_WEBHOOK_SECRET"])
