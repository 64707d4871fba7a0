"""Two people, or one twice, at the same moment: each call in its own thread and connection, let go together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from incidents.steps.base import Denied, Refused


def at_once(*calls: Callable[[], Any]) -> list[str]:
    """What came of each: `done`, `refused`, or the name of an error that no step should let out."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[str] = [""] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            outcomes[number] = "done" if call() is not False else "refused"
        except (Denied, Refused):
            outcomes[number] = "refused"
        except Exception as error:  # noqa: BLE001 - the test names it
            outcomes[number] = f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number, call]) for number, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
