"""An installation in which every secret is a canary, among outside systems that say aloud what they were told."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from mailbox import Maildir
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import psycopg
import redis
import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from portal.demo import ports
from portal.demo.sink import Keeper
from tests.faults.installation import Installation
from tests.hostile.canaries import canary, signing_canary
from tests.incidents.connectors.servers import Answer, Heard, Receiver

# What a careless script prints of what it was given.
PRINTS = """
for word in "$LASTGOOD_SECRET" "$DEPLOY_PASSWORD"; do
    printf 'given %s\\n' "$word"
    printf 'u:%s' "$word" | base64 -w0; echo
    printf %s "$word" | od -An -v -tx1 | tr -d ' \\n'; echo
done
env; sleep 0.5; exit {code}
"""
COMMANDS = {
    name: {
        "argv": ["/bin/sh", "-c", PRINTS.replace("{code}", code)],
        "dry_run": ["/bin/sh", "-c", PRINTS.replace("{code}", code)],
        "env": ["DEPLOY_PASSWORD"],
    }
    for name, code in (("prints", "0"), ("fails", "3"))
}


class Told(Receiver):
    """Answers with everything that it heard and, as a system that knows its own secret, with that.

    The first part of a path says with which status, the second whose secret it is.
    """

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        super().__init__()
        self.place = f"127.0.0.1:{self.port}"
        self.at = f"http://{self.place}"

    def reply(self, heard: Heard) -> Answer:
        path = heard.path.partition("?")[0]
        if path == "/.well-known/openid-configuration":
            told = {"issuer": self.at} | {
                f"{name}_endpoint": f"{self.at}/400/oidc/{name}" for name in ("authorization", "token", "userinfo")
            }
            return Answer(200, {"Content-Type": "application/json"}, json.dumps(told).encode())
        status, _, whose = path.strip("/").partition("/")
        secret = self.known.get(whose.partition("/")[0], "")
        said = {
            "message": f"Not with {secret} and {heard.headers.get('authorization')}",
            "error": f"invalid_client {secret} {heard.body.decode()}",
            "id": f"run {secret}",
            "headers": heard.headers,
        }
        return Answer(int(status), {"Content-Type": "application/json", "X-Secret": secret}, json.dumps(said).encode())


class Mailer(Keeper):
    """A mail server that lets in who knows the password, and quotes it to the first reader's address."""

    def __init__(self, folder: Path, password: str) -> None:
        super().__init__(folder)
        self.password, self.let_in, self.put_off = password, 0, False

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, way: str, given: Any) -> AuthResult:
        self.let_in += given.password.decode() == self.password
        return AuthResult(success=True)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.put_off:
            self.put_off = True
            return f"451 4.7.1 portal with {self.password} comes too often"
        envelope.rcpt_tos.append(address)
        return "250 OK"


class Guarded(Installation):
    """Knows its secrets in `known`, by what they are."""

    def __init__(self, engine: str, folder: Path, stack: ExitStack) -> None:
        names = ("secret key", "factor key", "broker password", "mail password", "oidc", "token in a URL")
        names += ("probe", "github", "command", "passed on", "password", "typed wrong")
        self.known: dict[str, str | bytes] = {name: canary(name.replace(" ", "-")) for name in names}
        self.known |= {"webhook": signing_canary(), "callback": signing_canary()}
        if engine == "postgresql":
            self.known["database password"] = canary("database-password")
        self.told = Told({name: str(secret) for name, secret in self.known.items()})
        stack.callback(self.told.close)
        self.mailer = Mailer(folder / "sent", str(self.known["mail password"]))
        self.mail_port = ports.any_free()
        server = Controller(
            self.mailer,
            "127.0.0.1",
            self.mail_port,
            authenticator=self.mailer.authenticate,
            auth_require_tls=False,
        )
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        server.start()
        stack.callback(server.stop)
        self.lines: set[bytes] = set()
        super().__init__(engine, folder, stack)

    def _database(self) -> Any:
        child = super()._database()
        if child:
            self.url = self.url.replace("portal@", f"portal:{self._coded('database password')}@")
        return child

    def _coded(self, name: str) -> str:
        return quote(str(self.known[name]), safe="")

    def _environment(self) -> dict[str, str]:
        env = super()._environment()
        env |= {
            "SECRET_KEY": str(self.known["secret key"]) + "-" * 30,
            "LASTGOOD_FACTOR_KEYS": str(self.known["factor key"]),
            "REDIS_URL": f"unix://:{self._coded('broker password')}@{self.places.socket}",
            "EMAIL_URL": f"smtp://portal:{self._coded('mail password')}@127.0.0.1:{self.mail_port}",
            "LASTGOOD_MAIL_RETRY_SECONDS": "1",
            "LASTGOOD_OIDC_SERVER": self.told.at,
            "LASTGOOD_OIDC_CLIENT_ID": "lastgood",
            "LASTGOOD_OIDC_CLIENT_SECRET": str(self.known["oidc"]),
            "LASTGOOD_COMMANDS": json.dumps(COMMANDS),
            "DEPLOY_PASSWORD": str(self.known["passed on"]),
        }
        env |= {f"CANARY_{name.upper()}": str(self.known[name]) for name in SECRETS_OF_CONNECTORS}
        places = f"{self.told.place},127.0.0.1:9"
        return env | {"LASTGOOD_OUTBOUND_HOSTS": places, "LASTGOOD_OUTBOUND_PRIVATE_HOSTS": places}

    def start_broker(self) -> None:
        super().start_broker()
        with redis.Redis(unix_socket_path=str(self.places.socket)) as broker:
            broker.config_set("requirepass", str(self.known["broker password"]))

    def watch_processes(self, stack: ExitStack) -> None:
        """Remember the command line of every process that is seen until the end."""
        over = Event()

        def watch() -> None:
            while not over.wait(0.1):
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    with suppress(OSError):
                        self.lines.add(path.read_bytes())

        thread = Thread(target=watch, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)

    # What it leaves -------------------------------------------------------------------------------------------------

    def artefacts(self) -> Iterator[tuple[str, bytes]]:
        """Every row, file, mail and command line."""
        yield from self._rows()
        yield from self._messages()
        yield "command lines", b"\n".join(self.lines)
        for mail in Maildir(self.folder / "sent", create=False):
            parts = [str(mail), *(str(part.get_payload(decode=True) or b"", "utf-8") for part in mail.walk())]
            yield f"mail {mail['Subject']}", "\n".join(parts).encode()
        key = self.places.data / "keys" / "signing.pem"
        for path in self.folder.rglob("*"):
            if path.is_file() and path != key and not path.is_relative_to(self.folder / "pg"):
                yield f"file {path.relative_to(self.folder)}", path.read_bytes()

    def connect(self) -> psycopg.Connection[Any]:
        place = str(self.folder / "pg")
        return psycopg.connect(host=place, user="portal", dbname="postgres", autocommit=True)

    def _rows(self) -> Iterator[tuple[str, bytes]]:
        listed = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        with self.connect() as line:
            for table, column in line.execute(listed).fetchall():
                rows = line.execute(f'SELECT DISTINCT "{column}"::text FROM "{table}"').fetchall()
                yield f"row {table}.{column}", "\n".join(str(value) for [value] in rows).encode()

    def _messages(self) -> Iterator[tuple[str, bytes]]:
        """What lies in the broker; its file among the others has what ever lay there."""
        reading = {"list": "LRANGE {} 0 -1", "hash": "HGETALL {}", "set": "SMEMBERS {}", "zset": "ZRANGE {} 0 -1"}
        password = str(self.known["broker password"])
        with redis.Redis(unix_socket_path=str(self.places.socket), password=password) as broker:
            for key in broker.scan_iter():
                asked = reading.get(broker.type(key).decode(), "GET {}").format(key.decode()).split(" ")
                yield f"broker {key.decode()}", repr(broker.execute_command(*asked)).encode()


SECRETS_OF_CONNECTORS = ("webhook", "callback", "probe", "github", "command")


class Visitor:
    """A person with a browser: signs in, follows every link, keeps every answer."""

    def __init__(self, portal: Guarded, name: str) -> None:
        self.portal, self.name = portal, name
        self.browser = requests.Session()
        self.answers: dict[str, bytes] = {}

    def get(self, path: str) -> requests.Response:
        return self.browser.get(self.portal.places.url + path, timeout=30)

    def post(self, path: str, page: str = "", **form: Any) -> requests.Response:
        """Send a form, of a page that is open or of its own."""
        given = page or self.get("/sign-in/" if path.startswith("/sign-in/oidc") else path).text
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', given)[0]
        return self.browser.post(self.portal.places.url + path, data={"csrfmiddlewaretoken": token, **form}, timeout=30)

    def sign_in(self, email: str, password: str) -> requests.Response:
        return self.post("/sign-in/", login=email, password=password)

    def keep(self, path: str) -> requests.Response:
        answer = self.get(path)
        heads = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name.lower() != "set-cookie")
        self.answers[f"{self.name} {path}"] = answer.content
        self.answers[f"{self.name} {path} headers"] = heads.encode()
        return answer

    def follow(self, *begin: str, like: int = 1) -> None:
        """Open every page that leads on from here, of those that are alike a few."""
        waiting, seen, kinds = list(begin), set(begin), dict[str, int]()
        while waiting:
            page = self.keep(waiting.pop(0))
            if "html" not in page.headers.get("Content-Type", ""):
                continue
            for link in re.findall(r'href="(/[^"#]*)', page.text):
                path = link.partition("?")[0]
                kind = re.sub(r"[0-9a-f-]{20,}|\d+", "#", path)
                if path in seen or path.startswith(("/static/", "/api/v1/docs")) or kinds.get(kind, 0) >= like:
                    continue
                kinds[kind] = kinds.get(kind, 0) + 1
                seen.add(path)
                waiting.append(path)
