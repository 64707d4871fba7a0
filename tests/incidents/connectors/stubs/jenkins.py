"""Jenkins's remote API, as far as builds go."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import TOKEN, Stub, said

JOB = "/job/ops/job/roll%20back"


class Jenkins(Stub):
    routes = (
        ("GET", "/me/api/json", "me"),
        ("GET", f"{JOB}/api/json", "job"),
        ("POST", f"{JOB}/buildWithParameters", "queue_up"),
        ("POST", f"{JOB}/build", "queue_up"),
        ("GET", r"/queue/item/(\d+)/api/json", "item"),
        ("GET", rf"{JOB}/(\d+)/api/json", "build"),
        ("GET", rf"{JOB}/(\d+)/logText/progressiveText", "log"),
    )

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.builds: list[dict[str, Any]] = []
        self.declared = ["attempt", "revision"]
        self.is_buildable = True
        self.console = b"Started by user lastgood\n"
        super().__init__()

    def knows(self, heard: Heard) -> bool:
        return heard.headers.get("authorization") == "Basic " + base64.b64encode(f"robot:{TOKEN}".encode()).decode()

    def me(self, heard: Heard) -> Answer:
        return said({"id": "robot"})

    def job(self, heard: Heard) -> Answer:
        if "builds" in heard.path:
            return said({"builds": self.builds[::-1]})
        names = [{"name": name} for name in self.declared]
        return said({"buildable": self.is_buildable, "property": [{}, {"parameterDefinitions": names}]})

    def queue_up(self, heard: Heard) -> Answer:
        number = 300 + len(self.items)
        self.items.append({"id": number, "why": "In the quiet period. Expires in 4.9 sec", "executable": None})
        self.items[-1]["given"] = {name: value[0] for name, value in parse_qs(heard.body.decode()).items()}
        return Answer(201, {"Location": f"https://jenkins.test/queue/item/{number}/"}, b"")

    def begin(self) -> None:
        """The queue's newest item becomes a build."""
        item, number = self.items[-1], 17 + len(self.builds)
        item |= {"why": None, "executable": {"number": number, "url": f"https://jenkins.test/x/{number}/"}}
        parameters = [{"name": name, "value": value} for name, value in item["given"].items()]
        actions = [{}, {"parameters": parameters}]
        url = f"https://jenkins.test{JOB}/{number}/"
        self.builds.append({"number": number, "queueId": item["id"], "actions": actions, "url": url})
        self.builds[-1] |= {"building": True, "result": None}

    def item(self, heard: Heard, number: str) -> Answer:
        found = next((item for item in self.items if item["id"] == int(number)), None)
        return said(found) if found else Answer(404, {}, b"<html>Not found</html>")

    def build(self, heard: Heard, number: str) -> Answer:
        return said(next(build for build in self.builds if build["number"] == int(number)))

    def log(self, heard: Heard, number: str) -> Answer:
        start = int(parse_qs(urlsplit(heard.path).query)["start"][0])
        return Answer(200, {"X-Text-Size": str(len(self.console))}, self.console[start:])
