"""An HTTP server on this machine that misbehaves on request: breaks off, stalls, ignores ranges, answers errors."""

import contextlib
import hashlib
import http.server
import re
import threading
import time

import numpy as np

CONTENT = np.random.default_rng(5).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at every path, in the way that its attributes say, and records the Range of each request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.content, self.ranges, self.paths, self.lock = CONTENT, [], [], threading.Lock()
        self.supports_ranges = self.sends_length = True
        self.statuses = []  # of the next answers; then 200
        self.breaks = []  # after how many bytes of the body the next connections break off; then never
        self.stalls, self.released = [], threading.Event()  # the same, but the connection stays open
        self.shift = 0  # of the ranges sent, against the ranges asked for
        self.pause = 0.0  # seconds before each answer


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        with server.lock:
            server.ranges.append(asked)
            server.paths.append(self.path)
            status = server.statuses.pop(0) if server.statuses else 200
            end = server.breaks.pop(0) if server.breaks else None
            stall = server.stalls.pop(0) if server.stalls else None
        time.sleep(server.pause)
        if status != 200:
            return self.send_error(status)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.supports_ranges else 0
        if start and start >= len(server.content):
            return self.send_error(416)
        body = server.content[start + server.shift :]
        self.send_response(206 if start else 200)
        if start:
            first, last = start + server.shift, len(server.content) - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(server.content)}")
        if server.sends_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # a client that has seen enough hangs up
            self.wfile.write(body[: end if stall is None else stall])
            self.wfile.flush()
            if stall is not None:
                server.released.wait(10)
        self.close_connection = True

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def running_server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def part_of(target):
    return target.with_name(target.name + ".part")


def leave_part(target, content):
    target.parent.mkdir(parents=True, exist_ok=True)
    part_of(target).write_bytes(content)


def assert_right(target):
    assert target.read_bytes() == CONTENT and not part_of(target).exists()
