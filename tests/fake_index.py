"""A package index on 127.0.0.1, made in the test, that can drop connections, stall and forget how to resume."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hifibench.package_index import IndexSettings


@dataclass
class FakeIndex:
    """What the server holds and how it misbehaves; `requests` says what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)  # what the page claims; "" leaves the claim out
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    statuses: list[int] = field(default_factory=list)  # what the next requests for files get instead of an answer
    gate: threading.Event = field(default_factory=threading.Event)  # closed: files stall after half of their bytes
    requests: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)

    @property
    def settings(self) -> IndexSettings:
        return IndexSettings((f"{self.url}/simple",))

    @property
    def downloads(self) -> list[tuple[str, str]]:
        return [(path, wanted) for path, wanted in self.requests if path.startswith("/files/")]

    def page(self, project: str) -> bytes:
        links = []
        for name, content in self.files.items():
            if re.split(r"-\d", name)[0].replace("_", "-") == project:
                digest = self.digests.get(name, hashlib.sha256(content).hexdigest())
                fragment = f"#sha256={digest}" if digest else ""
                links.append(f'<a href="../../files/{name}{fragment}">{name}</a>')
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode() if links else b""


@contextmanager
def serve() -> Iterator[FakeIndex]:
    index = FakeIndex()
    index.gate.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            index.requests.append((self.path, wanted))
            if self.path.startswith("/files/"):
                self.send_file(index.files.get(self.path.rsplit("/", 1)[-1]), wanted)
            else:
                page = index.page(self.path.strip("/").rsplit("/", 1)[-1])
                self.answer(200 if page else 404, page, {"Content-Type": "text/html"})

        def send_file(self, content: bytes | None, wanted: str) -> None:
            if index.statuses:
                self.answer(index.statuses.pop(0), b"")
            elif content is None:
                self.answer(404, b"")
            elif wanted and index.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.answer(206, content[start:], {"Content-Range": span})
            else:
                self.answer(200, content)

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.path.startswith("/files/") and body:
                if index.cuts:
                    self.wfile.write(body[: index.cuts.pop(0)])
                    self.close_connection = True
                    return
                if not index.gate.is_set():
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    index.gate.wait(30)
                    body = body[len(body) // 2 :]
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that was killed is no error of the server."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    index.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield index
    finally:
        index.gate.set()
        server.shutdown()
        server.server_close()
