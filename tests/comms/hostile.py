"""A mail server that breaks off, stalls or refuses wherever a script says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class HostileServer:
    """Speaks just enough SMTP. `script` names, for each conversation or mail in turn, where it misbehaves.

    "" takes the mail; "banner", "ehlo", "mail", "rcpt", "data" cut the connection there; "before dot" cuts it within
    the text, "after dot" keeps the mail and cuts the connection instead of answering; a number such as "421 rcpt"
    answers so at that place.
    """

    script: list[str]
    port: int = 0
    kept: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0

    @property
    def message_ids(self) -> list[str]:
        return [
            line.decode() for _, text in self.kept for line in text.split(b"\r\n") if line.startswith(b"Message-ID")
        ]

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError, EOFError), line:
                line.settimeout(10)
                _Conversation(self, line).run()


class _Conversation:
    def __init__(self, server: HostileServer, line: socket.socket) -> None:
        self.server, self.line, self.stream = server, line, line.makefile("rb")
        self.to = ""
        self.mood = ""

    def say(self, text: str) -> None:
        self.line.sendall(f"{text}\r\n".encode())

    def misbehaves(self, place: str) -> bool:
        """Whether the script says so here; a refusal is spoken, a cut is made by leaving."""
        if self.mood == place:
            raise EOFError
        if self.mood.endswith(f" {place}") and self.mood[:3].isdigit():
            self.say(f"{self.mood[:3]} 4.0.0 scripted")
            return True
        return False

    def run(self) -> None:
        self.mood = self.server.script[0] if self.server.script else ""
        if self.mood.startswith(("banner", "ehlo")) or self.mood.endswith(("banner", "ehlo")):
            self.server.script.pop(0)
        if self.misbehaves("banner"):
            return
        self.say("220 hostile")
        for command in iter(self.stream.readline, b""):
            if not self.answer(command.decode().strip()):
                return

    def answer(self, command: str) -> bool:
        """Answer one command; False ends the conversation."""
        verb = command.upper()[:4]
        if verb == "MAIL":
            self.mood = self.server.script.pop(0) if self.server.script else ""
        if verb == "RCPT":
            self.to = command.partition("<")[2].partition(">")[0]
        if verb == "DATA":
            return self.take()
        if verb == "QUIT":
            self.say("221 bye")
            return False
        if not self.misbehaves(verb.lower()):
            self.say("250 OK")
        return True

    def take(self) -> bool:
        if self.misbehaves("data"):
            return True
        self.say("354 go on")
        text = b""
        while not text.endswith(b"\r\n.\r\n"):
            text += self.stream.readline()
            if self.mood == "before dot":
                raise EOFError
        if self.misbehaves("dot"):
            return True
        self.server.kept.append((self.to, text))
        if self.mood == "after dot":
            raise EOFError
        self.say("250 kept")
        return True


@contextmanager
def hostile_server(settings: object, *script: str) -> Iterator[HostileServer]:
    """Mail of this process goes to a server that follows the script."""
    server = HostileServer(list(script))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port = listening.getsockname()[1]
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 2
        thread = threading.Thread(target=server.serve, args=(listening,), daemon=True)
        thread.start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
