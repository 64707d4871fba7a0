"""Measures a notice's way out of the outbox against smtplib on one connection: `python -m tests.bench.mailing`.

Run in a process of its own, on the database of DATABASE_URL, which has the portal's tables. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from typing import Any

import django
from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


def main() -> None:
    """`outbox COPIES LATE_MS ROUNDS` takes turns with smtplib; `sink LATE_MS` is the server of both."""
    word, *numbers = sys.argv[1:]
    given = [int(number) for number in numbers]
    if word == "sink":
        asyncio.run(_serve(given[0] / 1000))
        return
    django.setup()
    sys.stdout.write(json.dumps(_outbox(*given)) + "\n")


def _outbox(copies: int, late_ms: int, rounds: int) -> dict[str, Any]:
    with _sink(late_ms) as port:
        notice = _notice(copies)
        contents = list(notice.deliveries.values_list("email", "content"))
        times: dict[str, list[float]] = {"outbox": [], "bytes": [], "built": []}
        for _ in range(rounds):
            times["outbox"].append(_run(notice))
            times["bytes"].append(_smtplib(port, [(to, bytes(content)) for to, content in contents], built=False))
            times["built"].append(_smtplib(port, [(to, bytes(content)) for to, content in contents], built=True))
    found = {name: statistics.median(taken) for name, taken in times.items()}
    return {f"{name}_ms": round(seconds * 1000, 1) for name, seconds in found.items()} | {
        "ratio": round(found["outbox"] / found["built"], 2),
        "ratio_to_bytes": round(found["outbox"] / found["bytes"], 2),
    }


def _notice(copies: int) -> Any:
    from incidents.terms import NoticeKind
    from tests.comms.world import issue, told_crew
    from tests.factories import make_incident

    crew = told_crew(*(f"reader{number}@example.test" for number in range(copies)))
    return issue(make_incident(crew), crew, NoticeKind.A)


def _run(notice: Any) -> float:
    """Seconds of one run that sends every copy, each marked in a commit of its own, the end of the update included."""
    from comms import delivery
    from comms.models import Notice

    notice.deliveries.update(state="queued")
    Notice.objects.filter(pk=notice.pk).update(state="sending")
    begun = time.perf_counter()
    delivery.run(notice.pk)
    taken = time.perf_counter() - begun
    assert notice.deliveries.filter(state="sent").count() == notice.deliveries.count()
    return taken


def _smtplib(port: int, mails: list[tuple[str, bytes]], *, built: bool) -> float:
    """Seconds of the floor: one connection, nothing written down. `built`: each message is made as it is sent."""
    from comms.mail import sender

    read = message_from_bytes(mails[0][1], policy=MAIL)
    parts = [read.get_body((kind,)).get_content() for kind in ("plain", "html")]
    begun = time.perf_counter()
    with smtplib.SMTP(HOST, port) as server:
        for to, content in mails:
            server.sendmail(sender(), [to], _built(to, str(read["Subject"]), *parts) if built else content)
    return time.perf_counter() - begun


def _built(to: str, subject: str, text: str, html: str) -> bytes:
    message = EmailMessage(policy=MAIL)
    message["From"], message["To"], message["Subject"] = "lastgood@localhost", to, subject
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


@contextmanager
def _sink(late_ms: int) -> Iterator[int]:
    """A mail server in a process of its own that answers this late, to which the portal's mail goes."""
    from django.conf import settings

    command = [sys.executable, "-m", "tests.bench.mailing", "sink", str(late_ms)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        settings.EMAIL_HOST, settings.EMAIL_PORT = HOST, int(server.stdout.readline())
        yield settings.EMAIL_PORT
    finally:
        server.kill()
        server.wait()


class _Late(SMTP):
    """Answers after a pause."""

    pause_seconds = 0.0

    async def push(self, status: Any) -> None:
        if self.pause_seconds:
            await asyncio.sleep(self.pause_seconds)
        await super().push(status)


class _Taken:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        return "250 kept"


async def _serve(pause_seconds: float) -> None:
    _Late.pause_seconds = pause_seconds
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Late(_Taken(), hostname="localhost"), HOST)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    main()
