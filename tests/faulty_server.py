"""A web server at fault, in ways of its own making."""

import http.server
import threading
import time


class Server:
    """A server at fault in the way that `answer`, given its handler, makes."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    answer(self)
                except OSError:
                    """The client gave up first."""

            def log_message(self, *_):
                """Keep the tests' output clean."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def head(handler, status=200, length=None, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def whole(handler, body):
    head(handler, length=len(body))
    handler.wfile.write(body)


def stalls(handler, body):
    head(handler, length=len(body))
    handler.wfile.write(body[:500])
    handler.wfile.flush()
    time.sleep(3)


def drips(handler, body):
    head(handler, length=len(body))
    for i in range(3000):
        handler.wfile.write(body[i : i + 1])
        handler.wfile.flush()
        time.sleep(0.003)


def cut_off(declared):
    def answer(handler, body):
        head(handler, length=len(body) if declared else None)
        handler.wfile.write(body[: len(body) // 2])

    return answer


def redirects(handler, body):
    head(handler, 302, Location=handler.path)


def status(code):
    return lambda handler, body: head(handler, code, length=0)


def html(handler, body):
    whole(handler, b"<!DOCTYPE html><p>The archive has moved")


def flipped(handler, body):
    whole(handler, body[:-1] + bytes([body[-1] ^ 1]))
