"""Messages on two pipes, bulk data in shared memory (docs/reference/worker_protocol.md)."""
import fcntl
import io
import json
import mmap
import os
import struct

import numpy as np

from .problems import ProtocolError

_MAGIC = b"UCW1"
_PREFIX = struct.Struct("<4sIQ")
_HEADER_LIMIT = 1 << 20
_PAYLOAD_LIMIT = 1 << 40
_PIECE = 1 << 26
_ABOVE_STANDARD = 10  # descriptors of our own start here
_HUGE_PAGE = 2 << 20
_F_GET_SEALS, _F_SEAL_SHRINK = 1034, 2  # the fcntl module has them since Python 3.8 on some systems only


RESULT = {"type": "result"}  # the answer to every call that went well
_RESULT = json.dumps(RESULT, separators=(",", ":")).encode()
_KEY, _KEY_DIGITS = b'"key":"', 16


def read_header(text):
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ProtocolError("the header of a message is no JSON object.")
    return header


def split_at_key(text):
    """(what is before the 16 digits of the key, the digits, what is behind them), or None when they cannot be found for certain. From one
    batch of a training to the next only the digits change."""
    before, name, behind = text.partition(_KEY)
    if not name or b'"key"' in behind or b"\\" in text:
        return None
    return before, behind[:_KEY_DIGITS], behind[_KEY_DIGITS:]


class HostStream:
    """Standard input and output belong to the protocol: what the file reads is empty, what it prints goes to standard error."""

    def __init__(self):
        incoming = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)
        self._out = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.close(null)
        self._in = io.BufferedReader(io.FileIO(incoming, "rb"), 1 << 16)

    def read(self):
        """(JSON text of the header, payload), or None at the end of input."""
        prefix = self._in.read(_PREFIX.size)
        if not prefix:
            return None
        if prefix[: len(_MAGIC)] != _MAGIC[: len(prefix)]:
            raise ProtocolError("the stream holds something that is no message (no 'UCW1' where one must begin).")
        if len(prefix) < _PREFIX.size:
            return None
        _, header_bytes, payload_bytes = _PREFIX.unpack(prefix)
        if header_bytes > _HEADER_LIMIT or payload_bytes > _PAYLOAD_LIMIT:
            raise ProtocolError(f"a message announces {header_bytes} + {payload_bytes} bytes; that is more than is accepted.")
        text, payload = self._in.read(header_bytes), self._take(payload_bytes)
        if len(text) < header_bytes or len(payload) < payload_bytes:
            return None
        return text, payload

    def _take(self, count):
        """Up to `count` bytes. Memory grows with what arrives, not with what a message announces."""
        if count <= _PIECE:
            return self._in.read(count) if count else b""
        pieces = []
        while count and (piece := self._in.read(min(count, _PIECE))):
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def write(self, header, payload=b""):
        text = _RESULT if header is RESULT else json.dumps(header, separators=(",", ":")).encode()
        self._write_all(_PREFIX.pack(_MAGIC, len(text), len(payload)) + text)
        if payload:
            self._write_all(payload)

    def write_line(self, header):
        """A line of JSON: the answers of --probe."""
        self._write_all(json.dumps(header).encode() + b"\n")

    def _write_all(self, data):
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._out, rest):]
        except OSError:
            os._exit(1)  # nobody listens any more


class SharedMemory:
    """The anonymous file behind a descriptor; `view()` maps what it has grown to."""

    def __init__(self, descriptor):
        try:
            sealed = fcntl.fcntl(descriptor, _F_GET_SEALS) & _F_SEAL_SHRINK
        except OSError:
            sealed = False
        if not sealed:
            raise ProtocolError(f"descriptor {descriptor} is no shared memory that is sealed against shrinking.")
        self._descriptor = descriptor
        self._size = 0
        self._view = b""

    def is_current(self):
        """The host has not made the file longer than view() was."""
        return os.fstat(self._descriptor).st_size == self._size

    def view(self):
        size = os.fstat(self._descriptor).st_size
        if size > self._size:  # an older mapping goes away with the last array on it
            mapped = mmap.mmap(self._descriptor, size)
            if hasattr(mmap, "MADV_HUGEPAGE") and size >= _HUGE_PAGE:
                mapped.madvise(mmap.MADV_HUGEPAGE)
            self._view = memoryview(mapped)
            self._size = size
        return self._view


def array(region, entry, writeable):
    """The array that an entry of "tensors" or "outputs" describes, without a copy. Throws ProtocolError when it is not inside `region`."""
    shape = tuple(entry["shape"])
    if entry["dtype"] not in ("float32", "float64", "int32", "int64", "uint64") or any(extent < 0 for extent in shape):
        raise ProtocolError(f"{entry['name']}: dtype {entry['dtype']}, shape {list(shape)} is no array of the protocol.")
    count = 1
    for extent in shape:
        count *= extent
    if entry["offset"] < 0 or entry["offset"] + count * np.dtype(entry["dtype"]).itemsize > len(region):
        raise ProtocolError(f"{entry['name']}: does not lie inside the data that came with the call.")
    if count == 0:
        return np.empty(shape, entry["dtype"])
    values = np.frombuffer(region, dtype=entry["dtype"], count=count, offset=entry["offset"]).reshape(shape)
    if not writeable:
        values.flags.writeable = False
    return values
