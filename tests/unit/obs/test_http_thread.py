"""Health pages in a thread of their own: they answer while the main thread does not."""

import socket
import threading
import urllib.request

import pytest

from pipeline.obs.http import AddressError, HealthServer
from pipeline.obs.http_thread import HealthThread
from pipeline.obs.metrics import Metrics


def test_pages_answer_without_an_event_loop_in_this_thread_until_they_are_stopped() -> None:
    server = HealthServer(Metrics())
    thread = HealthThread(server)
    thread.start()
    try:
        with urllib.request.urlopen(f"{server.url}/livez", timeout=30) as answer:
            assert answer.status == 200
    finally:
        thread.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{server.url}/livez", timeout=30)
    assert "health-pages" not in {running.name for running in threading.enumerate()}
    thread.stop()


def test_a_taken_address_is_an_error_in_the_calling_thread_and_leaves_no_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        thread = HealthThread(HealthServer(Metrics(), port=taken.getsockname()[1]))
        with pytest.raises(AddressError, match="STITCHLINE_HTTP_PORT"):
            thread.start()
    assert "health-pages" not in {running.name for running in threading.enumerate()}
