"""Messages on their way out, in protocol form: what `Wire.publish` writes in one go."""

from __future__ import annotations

from collections.abc import Iterable


class PublishBuffer:
    """Messages in protocol form, collected to be written in one go."""

    __slots__ = ("frames", "size")

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self.frames)

    def pub(self, subject: bytes, payload: bytes, reply: bytes = b"") -> None:
        """Add a message. A subject with white space in it raises ValueError: it could smuggle a command."""
        self._add(subject, reply, b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload))

    def hpub(self, subject: bytes, headers: bytes, payload: bytes, reply: bytes = b"") -> None:
        """Add a message with a header block as `header_block` makes it."""
        sizes = (len(headers), len(headers) + len(payload))
        self._add(subject, reply, b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject, reply, *sizes, headers, payload))

    def _add(self, subject: bytes, reply: bytes, frame: bytes) -> None:
        if len(subject.split()) != 1 or subject[0] <= 32 or subject[-1] <= 32 or (reply and len(reply.split()) != 1):
            raise ValueError(f"not a subject: {subject!r} {reply!r}")
        self.frames.append(frame)
        self.size += len(frame)

    def clear(self) -> None:
        """Empty the buffer."""
        self.frames = []
        self.size = 0


def header_block(headers: Iterable[tuple[str, str]]) -> bytes:
    """A NATS header block. Line breaks in a name or value raise ValueError."""
    lines = ["NATS/1.0"]
    for name, value in headers:
        if not name or any(c in "\r\n:" for c in name) or "\r" in value or "\n" in value:
            raise ValueError(f"not a header: {name!r}: {value!r}")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
