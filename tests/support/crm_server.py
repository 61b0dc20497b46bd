"""An emulated CRM behind a real socket, for sinks that run in processes of their own; or any other server in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Protocol

import httpx2


class Emulated(Protocol):
    """An emulator, or what stands before one."""

    def transport(self) -> httpx2.MockTransport: ...


@contextmanager
def served(crm: Emulated) -> Iterator[str]:
    """Serves the CRM on loopback, one request at a time. Yields its base URL."""
    lock, transport = Lock(), crm.transport()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            request = httpx2.Request(self.command, f"http://crm{self.path}", headers=dict(self.headers), content=body)
            with lock:
                response = transport.handle_request(request)
            content = response.read()
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815  http.server's names

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
