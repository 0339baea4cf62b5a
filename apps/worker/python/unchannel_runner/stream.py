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
_ABOVE_STANDARD = 10  # descriptors of our own start here
_F_GET_SEALS, _F_SEAL_SHRINK = 1034, 2  # the fcntl module has them since Python 3.8 on some systems only


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
        """(header, payload), or None at the end of input."""
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
        text, payload = self._in.read(header_bytes), self._in.read(payload_bytes) if payload_bytes else b""
        if len(text) < header_bytes or len(payload) < payload_bytes:
            return None
        try:
            header = json.loads(text)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise ProtocolError("the header of a message is no JSON object.")
        return header, payload

    def write(self, header, payload=b""):
        text = json.dumps(header, separators=(",", ":")).encode()
        self._write_all(_PREFIX.pack(_MAGIC, len(text), len(payload)) + text)
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

    def view(self):
        size = os.fstat(self._descriptor).st_size
        if size > self._size:  # an older mapping goes away with the last array on it
            self._view = memoryview(mmap.mmap(self._descriptor, size))
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
