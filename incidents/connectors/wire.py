"""Sockets that connect only to addresses that were checked, and never outlast one total deadline.

A network backend for httpcore2: per-read timeouts, which a slow sender resets with each byte, are not used at all.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import httpcore2

from incidents.connectors.watch import Watch

T = TypeVar("T")
READ, WRITE = select.POLLIN, select.POLLOUT


class Wire(httpcore2.NetworkBackend):
    """Connects to one of `addresses`, whatever host it is asked for; `sent` once request bytes may have left."""

    def __init__(self, addresses: Sequence[str], watch: Watch) -> None:
        self.addresses = addresses
        self.watch = watch
        self.peer = ""
        self.sent = False

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        """Try the checked addresses in order; each gets its share of the time left. Raises the last `OSError`."""
        failure: OSError = OSError(f"{host} has no address")
        for number, address in enumerate(self.addresses):
            try:
                sock = self._connect(address, port, self.watch.left / (len(self.addresses) - number))
            except OSError as error:
                failure = error
            else:
                self.peer = address
                return Stream(self, sock)
        raise failure

    def _connect(self, address: str, port: int, seconds: float) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            code = sock.connect_ex((address, port))
            if code == errno.EINPROGRESS:
                self.wait(sock, WRITE, time.monotonic() + seconds)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def wait(self, sock: socket.socket, event: int, until: float = float("inf")) -> None:
        """Wait until the socket is ready, with the watch running. Raises `TimeoutError` after `until`."""
        poll = select.poll()
        poll.register(sock, event)
        while not poll.poll(1000 * min(self.watch.pulse(), max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                self.watch.pulse()
                raise TimeoutError(errno.ETIMEDOUT, "no answer to the connection attempt")


class Stream(httpcore2.NetworkStream):
    """One connected socket, plain or TLS. The timeouts that httpcore2 passes are ignored: the watch rules."""

    def __init__(self, wire: Wire, sock: socket.socket) -> None:
        self._wire = wire
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return some bytes, or none at the end."""
        return self._patiently(READ, lambda: self._sock.recv(max_bytes))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`. Whatever fails from here on, bytes may have left."""
        if not self._wire.sent:
            self._wire.watch.confirm()
            self._wire.sent = True
        view = memoryview(buffer)
        try:
            while view:
                view = view[self._patiently(WRITE, lambda: self._sock.send(view)) :]  # noqa: B023 - called at once
        except OSError as error:
            # httpcore2 then still reads: a server may answer 413 and close before it took the whole body.
            raise httpcore2.WriteError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Shake hands as, and verify the certificate against, the name that was asked for, not the address."""
        sock = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname, do_handshake_on_connect=False)
        secured = Stream(self._wire, sock)
        try:
            secured._patiently(READ, sock.do_handshake)
        except BaseException:
            sock.close()
            raise
        return secured

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore2 about TLS; it asks for nothing else that matters here."""
        return self._sock if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket) else None

    def _patiently(self, event: int, act: Callable[[], T]) -> T:
        self._wire.watch.pulse()  # an endless fast sender never makes us wait, so ask here as well
        while True:
            try:
                return act()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                self._wire.wait(self._sock, _wanted(error, event))


def _wanted(error: OSError, event: int) -> int:
    if isinstance(error, ssl.SSLWantReadError):
        return READ
    return WRITE if isinstance(error, ssl.SSLWantWriteError) else event
