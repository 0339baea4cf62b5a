"""The program's side of docs/reference/worker_protocol.md in Python, inline data only: for tests of what answers it."""
import json
import os
import pathlib
import struct
import subprocess

import numpy as np

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
BINARY_DIR = pathlib.Path(os.environ.get("UNCHANNEL_BINARY_DIR", ROOT / "build" / "release"))
WORKER = BINARY_DIR / "bin" / "unchannel-worker"
_PREFIX = struct.Struct("<4sIQ")
_ALIGNMENT = 64


def frame(header, payload=b""):
    text = json.dumps(header, separators=(",", ":")).encode()
    return _PREFIX.pack(b"UCW1", len(text), len(payload)) + text + payload


def _placed(arrays):
    """[(name, dtype, shape)] as entries of a message, and their bytes in all."""
    entries, offset = [], 0
    for name, dtype, shape in arrays:
        entries.append({"name": name, "dtype": dtype, "shape": list(shape), "offset": offset})
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        offset += -(-size // _ALIGNMENT) * _ALIGNMENT
    return entries, offset


class Client:
    """A conversation with a plugin. Use as a context; the process is ended with it."""

    def __init__(self, plugin, *options):
        self.process = subprocess.Popen([WORKER, "--serve", plugin, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        self.process.wait()

    def send(self, message):
        self.process.stdin.write(message)
        self.process.stdin.flush()

    def ask(self, header, payload=b""):
        """(header, payload) of the answer; notes in between are dropped."""
        self.send(frame(header, payload))
        while True:
            prefix = self.process.stdout.read(_PREFIX.size)
            assert len(prefix) == _PREFIX.size, f"no answer to {header}"
            magic, header_bytes, payload_bytes = _PREFIX.unpack(prefix)
            assert magic == b"UCW1"
            answer = json.loads(self.process.stdout.read(header_bytes))
            data = self.process.stdout.read(payload_bytes)
            if answer["type"] not in ("log", "progress"):
                return answer, data

    def start(self, x_shape, **parameters):
        self.ask({"type": "hello", "protocol": 1, "host": "test"})
        description = self.ask({"type": "describe"})[0]["channels"][0]
        self.ask({"type": "create", "channel": description["id"], "threads": 1})
        given = {p["id"]: p["default"] for p in description["parameters"]} | parameters
        return self.ask({"type": "configure", "x_shape": list(x_shape), "parameters": given})[0]

    @staticmethod
    def simulate_message(x, ids=None, key=1):
        """(header, payload)"""
        x = np.ascontiguousarray(x, "<f4")
        ids = np.arange(len(x), dtype="<u8") if ids is None else np.asarray(ids, "<u8")
        tensors, input_bytes = _placed([("ids", "uint64", ids.shape), ("x", "float32", x.shape)])
        outputs, output_bytes = _placed([("y", "float32", x.shape), ("sample_status", "int32", ids.shape)])
        payload = (ids.tobytes().ljust(tensors[1]["offset"], b"\0") + x.tobytes()).ljust(input_bytes, b"\0")
        return {"type": "simulate", "count": len(x), "key": f"{key:016x}", "tensors": tensors, "outputs": outputs,
                "output_bytes": output_bytes}, payload

    def simulate(self, x, ids=None, key=1):
        """y, or the header of the error."""
        header, payload = self.simulate_message(x, ids, key)
        answer, data = self.ask(header, payload)
        if answer["type"] != "result":
            return answer
        assert len(data) == header["output_bytes"]
        shape = header["outputs"][0]["shape"]
        return np.frombuffer(data, "<f4", int(np.prod(shape))).reshape(shape)


def check(plugin, folder, config=None):
    """The report of all checks, {id: its entry}, and the exit status. `folder`: for the report."""
    report = pathlib.Path(folder) / "report.json"
    command = [WORKER, "--check-all", plugin, "--json", report] + (["--config", config] if config else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    return {entry["id"]: entry for entry in json.loads(report.read_text())["checks"]}, done.returncode


def check_one(plugin, check_id, config):
    """(verdict, reason) of one check."""
    command = [WORKER, "--check", check_id, plugin, "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=170)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["verdict"], answer["reason"]
