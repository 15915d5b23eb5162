"""A stand-in for the API service, as small as its start and end need: ready once its database accepts connections."""

from __future__ import annotations

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

registered: list[dict[str, object]] = []


def database_answers() -> bool:
    place = urlsplit(os.environ["PYSCRAI_DATABASE_URL"])
    try:
        socket.create_connection((place.hostname or "", place.port or 0), 1).close()
    except OSError:
        return False
    return True


class Handler(BaseHTTPRequestHandler):
    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def allowed(self) -> bool:
        token = os.environ.get("PYSCRAI_TOKEN")
        return token is None or self.headers["Authorization"] == f"Bearer {token}"

    def do_GET(self) -> None:
        if self.path == "/readyz":
            self.answer(200 if database_answers() else 503, {})
        elif self.path == "/healthz":
            self.answer(200, {"pid": os.getpid()})
        elif self.path.startswith("/api/v1/engine-instances") and self.allowed():
            self.answer(200, registered)
        elif self.path == "/environment":
            self.answer(200, {"argv": sys.orig_argv, "environment": dict(os.environ)})
        else:
            self.answer(401, {})

    def do_POST(self) -> None:
        if not self.allowed():
            self.answer(401, {})
            return
        registered.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(201, {})


if "--fail" in os.environ.get("STAND_IN", ""):
    sys.exit("pyscrai_api: cannot start: the stand-in was told so")
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
