"""Does one act in a process that dies at a given point of it: `python -m tests.faults.doer`.

One JSON object per line comes in, `{"what": "post" | "task" | "call", …, "die_at": 7}`; the act is done by a forked
process that kills itself just before its seventh statement, commit, message or byte to the outside. How it ended goes
out: `{"died": true}`, or `{"died": false, "points": ["BEGIN", "SELECT incidents_incident", …], "value": …}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import cache
from typing import Any


class Points:
    """Counts what is done, and ends this process before the point that was asked for."""

    def __init__(self, die_at: int) -> None:
        self.die_at, self.names = die_at, []

    def reached(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, method: str) -> None:
        """A point before and after each call of this method."""
        real = getattr(owner, method)

        def call(*arguments: Any, **named: Any) -> Any:
            self.reached(method)
            answer = real(*arguments, **named)
            self.reached(f"after {method}")
            return answer

        setattr(owner, method, call)

    def watch(self) -> None:
        """Every statement and commit, every message to the broker, every byte that leaves for the outside."""
        import socket

        from celery.app.task import Task
        from django.db import connection
        from django.db.backends.base.base import BaseDatabaseWrapper

        def statement(execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
            self.reached(str(sql).split(None, 1)[0])
            answer = execute(sql, *rest)
            self.reached("after " + str(sql).split(None, 1)[0])
            return answer

        connection.execute_wrappers.append(statement)
        self.around(BaseDatabaseWrapper, "_commit")
        self.around(Task, "apply_async")
        self.around(socket, "create_connection")


@cache
def client() -> Any:
    """The whole portal without a socket."""
    from django.test import Client

    return Client(raise_request_exception=False, SERVER_NAME="127.0.0.1")


def post(path: str, token: str, body: Any = None) -> Any:
    """The API as the web server calls it."""
    answer = client().post(
        f"/api/v1/{path}", body or "", content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )
    return answer.status_code


def task(name: str, arguments: list[str]) -> None:
    """What a worker's child does with a message."""
    from portal.celery import app

    app.tasks[name](*arguments)


def _done(asked: dict[str, Any]) -> str:
    """Fork, do it there, and say how that ended."""
    reading, writing = os.pipe()
    points = Points(asked.pop("die_at", 0))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            points.watch()
            value = globals()[asked.pop("what")](**asked)
            os.write(writing, json.dumps({"died": False, "points": points.names, "value": value}).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return json.dumps({"died": True})
    return said.decode() or json.dumps({"error": f"ended with {status}"})


def may_be_traced_by_anyone() -> None:
    """Where Yama lets only parents trace, this process says that others may as well (PR_SET_PTRACER)."""
    import ctypes

    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)


def _warm_up() -> None:
    """Make what a served portal makes once, so that no act's process makes it anew."""
    from django.urls import get_resolver

    from portal.celery import app

    app.loader.import_default_modules()
    resolver = get_resolver()
    _ = resolver.reverse_dict, resolver.app_dict, app.backend, app.amqp.queues, app.amqp.router
    client().handler.load_middleware()
    client().get("/api/v1/")


def main() -> None:
    import django

    may_be_traced_by_anyone()
    django.setup()
    _warm_up()
    for line in sys.stdin:
        sys.stdout.write(_done(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
