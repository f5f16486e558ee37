"""What a browser may do with the page: talk to this server and to nobody else, and keep nothing.

The page would work without: gradio brings its scripts, styles and fonts along. The policy makes sure that it stays so,
whatever a later version fetches.
"""

__all__ = ["HEADERS", "PrivateHeaders", "local_hosts"]

POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",  # gradio starts from an inline script
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-ancestors": "'self'",
    "form-action": "'self'",
    "base-uri": "'self'",
}
HEADERS = {
    "content-security-policy": "; ".join(f"{name} {sources}" for name, sources in POLICY.items()),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
KEPT = ("/assets/", "/static/")  # of gradio, the same for everybody; all else is not stored


class PrivateHeaders:
    """ASGI middleware that adds `HEADERS` to every answer, and forbids to store all but gradio's own files."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Pass a request on, and its answer with the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = HEADERS if scope["path"].startswith(KEPT) else HEADERS | {"cache-control": "no-store"}

        async def with_headers(message):
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in added]
                new = [(name.encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": [*kept, *new]}
            await send(message)

        await self.app(scope, receive, with_headers)


def local_hosts() -> list[str]:
    """Names by which this machine calls itself; a request for another one comes from a page elsewhere."""
    return ["127.0.0.1", "localhost", "[::1]"]
