"""A mail server that breaks off, stalls or refuses wherever a script says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kept:
    """One mail that the server took: for whom, its bytes and when."""

    to: str
    text: bytes
    at: float

    @property
    def message_id(self) -> str:
        return next(line.decode() for line in self.text.split(b"\r\n") if line.startswith(b"Message-ID"))


@dataclass
class HostileServer:
    """Speaks just enough SMTP. `script` names, for each conversation or mail in turn, where it misbehaves.

    "" takes the mail; "banner", "ehlo", "mail", "rcpt", "data" cut the connection there; "before dot" cuts it within
    the text, "after dot" keeps the mail and cuts the connection instead of answering; a number such as "421 rcpt"
    answers so at that place; "stall rcpt" does not answer at all for `stall_seconds`.

    `judge` is asked for each recipient what befalls this mail, once the script is at its end; `greet` the same for each
    conversation. Their answers are words of the script.
    """

    script: list[str] = field(default_factory=list)
    judge: Callable[[str], str] = lambda address: ""
    greet: Callable[[], str] = lambda: ""
    stall_seconds: float = 60
    answers_after_seconds: float = 0
    offers: tuple[str, ...] = ()
    port: int = 0
    kept: list[Kept] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def message_ids(self) -> list[str]:
        return [kept.message_id for kept in self.kept]

    def to(self, address: str) -> list[Kept]:
        return [kept for kept in self.kept if kept.to == address]

    def next_of_script(self, *, greeting: bool) -> str | None:
        """The next word of the script if it speaks of this moment; None at the script's end."""
        with self.lock:
            if not self.script:
                return None
            if greeting != self.script[0].endswith(("banner", "ehlo")):
                return ""
            return self.script.pop(0)

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        with self.lock:
            self.connections += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with suppress(OSError, EOFError), line:
                line.settimeout(20)
                _Conversation(self, line).run()
        finally:
            with self.lock:
                self.at_once -= 1


class _Conversation:
    def __init__(self, server: HostileServer, line: socket.socket) -> None:
        self.server, self.line, self.stream = server, line, line.makefile("rb")
        self.to = ""
        self.mood = ""
        self.is_judged = False

    def say(self, text: str) -> None:
        if self.server.answers_after_seconds:
            time.sleep(self.server.answers_after_seconds)
        self.line.sendall(f"{text}\r\n".encode())

    def misbehaves(self, place: str) -> bool:
        """Whether the script says so here; a refusal is spoken, a cut is made by leaving."""
        if self.mood == place:
            raise EOFError
        if self.mood == f"stall {place}":
            self.line.settimeout(self.server.stall_seconds)
            self.stream.readline()  # until the other side gives up
            raise EOFError
        if self.mood.endswith(f" {place}") and self.mood[:3].isdigit():
            self.say(f"{self.mood[:3]} 4.0.0 scripted")
            return True
        return False

    def run(self) -> None:
        word = self.server.next_of_script(greeting=True)
        self.mood = self.server.greet() if word is None else word
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
            word = self.server.next_of_script(greeting=False)
            self.mood, self.is_judged = word or "", word is None
        if verb == "RCPT":
            self.to = command.partition("<")[2].partition(">")[0]
            self.mood = self.server.judge(self.to) if self.is_judged else self.mood
        if verb == "DATA":
            return self.take()
        if verb == "QUIT":
            self.say("221 bye")
            return False
        if not self.misbehaves("starttls" if verb == "STAR" else verb.lower()):
            self.say("250 OK" if verb != "EHLO" else "\r\n".join(self.greeting()))
        return True

    def greeting(self) -> list[str]:
        *others, last = ("hostile", *self.server.offers)
        return [f"250-{word}" for word in others] + [f"250 {last}"]

    def take(self) -> bool:
        if self.misbehaves("data"):
            return True
        self.say("354 go on")
        text = b""
        while not text.endswith(b"\r\n.\r\n"):
            if not (read := self.stream.readline()):
                raise EOFError
            text += read
            if self.mood == "before dot":
                raise EOFError
        if self.misbehaves("dot"):
            return True
        with self.server.lock:
            self.server.kept.append(Kept(self.to, text, time.monotonic()))
        if self.mood == "after dot":
            raise EOFError
        self.say("250 kept")
        return True


@contextmanager
def listening(server: HostileServer) -> Iterator[HostileServer]:
    """The server at work on a port of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as door:
        server.port = door.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(door,), daemon=True)
        thread.start()
        yield server
        door.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@contextmanager
def hostile_server(settings: object, *script: str) -> Iterator[HostileServer]:
    """Mail of this process goes to a server that follows the script."""
    with listening(HostileServer(list(script))) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 2
        yield server
