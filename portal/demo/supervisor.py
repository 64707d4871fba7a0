"""`manage.py demo`: starts every part, waits until the portal says it is ready, and takes all down again."""

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from portal.bootstrap.places import ROOT
from portal.demo import announce, folder, ports, services, valkey
from portal.demo.crew import Crew, Failed
from portal.demo.guard import Guard


class Stopped(BaseException):
    """Someone pressed Ctrl-C or sent a signal."""


def main(arguments: list[str]) -> int:
    """Run the demo until it is stopped; with --walkthrough, until that has played."""
    options = _parse(arguments)
    began = float(os.environ.pop("LASTGOOD_TYPED_AT", time.time()))
    try:
        with _crew(options) as (crew, sockets), _ready_file(options.ready_file):
            return _run(crew, sockets, options, began)
    except Stopped:
        print("\nStopped.", flush=True)
        return 0
    except Failed as why:
        print(f"\n{why}\n\nAll logs: {options.data.resolve() / 'logs'}", file=sys.stderr)
        return 1


def _run(crew: Crew, sockets: list[socket.socket], options: argparse.Namespace, began: float) -> int:
    _on_signals(_stop)
    print("Starting broker, mail, web, worker and clock …", flush=True)
    try:
        crew.start_all(*(listening.fileno() for listening in sockets))
        for listening in sockets:
            listening.close()
        users = json.loads(crew.places.users_file.read_text())
        announce.to_person(crew.places, users, time.time() - began)
        if options.ready_file:
            # Whoever waits for the file of the next start is not to read this one.
            crew.guard.over_file(str(options.ready_file.absolute()))
            announce.to_program(options.ready_file, crew.places, users)
        return _play(crew.places, users) if options.walkthrough else crew.watch()
    finally:
        # A second Ctrl-C does not wait for anyone.
        _on_signals(lambda number, frame: crew.kill_all())
        crew.stop_all()


def _play(places: services.Places, users: announce.Users) -> int:
    from portal.demo.walkthrough import play

    code: int = play(url=places.url, mailbox_url=places.mailbox_url, data=places.data, users=users)
    return code


@contextmanager
def _crew(options: argparse.Namespace) -> Iterator[tuple[Crew, list[socket.socket]]]:
    """A crew in a data folder and on ports that are ours until the demo ends."""
    data = options.data.resolve()
    with folder.claimed(data, fresh=options.fresh), ports.claimed(options.port) as port, valkey.socket_in(data) as path:
        # After the claims, which the watcher is to hold until the last child is gone; before the mail server's socket.
        guard = Guard()
        smtp, smtp_port = ports.listening()
        receiver, receiver_port = ports.listening(folder.receiver_port(data) or port + 1)
        yield Crew(services.Places(data, port, smtp_port, receiver_port, path), guard), [smtp, receiver]


@contextmanager
def _ready_file(path: Path | None) -> Iterator[None]:
    """No ready file of an earlier demo, and none left behind by this one."""
    if path:
        path.unlink(missing_ok=True)
    try:
        yield
    finally:
        if path:
            path.unlink(missing_ok=True)


def _on_signals(handler: Callable[[int, FrameType | None], Any]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py demo", description="Runs a whole Lastgood on this machine.")
    parser.add_argument("--port", type=int, help="port of the portal (8000, or a free one if that is taken)")
    parser.add_argument("--data", type=Path, default=ROOT / ".data", help="folder for everything it writes (.data)")
    parser.add_argument("--fresh", action="store_true", help="empty the data folder first")
    parser.add_argument("--ready-file", type=Path, help="write addresses and sign-ins here as JSON once it is ready")
    parser.add_argument("--walkthrough", action="store_true", help="play one complete incident, then stop")
    return parser.parse_args(arguments)
