"""A channel that is a program: y = exp(-time / lifetime) x. It speaks docs/reference/worker_protocol.md through its pipes; any language
can do what this does with nothing but Python's standard library. For a channel in Python, a file with `simulate` is much less work.
"""
import array
import json
import math
import struct
import sys

PREFIX = struct.Struct("<4sIQ")  # magic, bytes of the header, bytes of the payload
ID = "org.example.decay"


def parameter(name, default):
    return {"id": name, "type": "f64", "unit": "s", "doc": f"The {name}.", "default": default, "min": 0.0, "flags": ["min_exclusive"]}


DESCRIPTION = {
    "id": ID, "name": "Decay", "version": "1.0.0", "vendor": "", "url": "", "licence": "Apache-2.0", "description": "y = exp(-time / lifetime) x",
    "determinism": "per_sample", "thread_class": "instance_serial", "capabilities": [],
    "parameters": [parameter("time", 1.0), parameter("lifetime", 2.0)], "latents": [],
}


def read():
    """(header, payload), or None at the end."""
    prefix = sys.stdin.buffer.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    magic, header_bytes, payload_bytes = PREFIX.unpack(prefix)
    if magic != b"UCW1":
        sys.exit("no message of the worker protocol")
    return json.loads(sys.stdin.buffer.read(header_bytes)), sys.stdin.buffer.read(payload_bytes)


def write(header, payload=b""):
    text = json.dumps(header).encode()
    sys.stdout.buffer.write(PREFIX.pack(b"UCW1", len(text), len(payload)) + text + payload)
    sys.stdout.buffer.flush()


def simulate(question, payload, factor):
    """The bytes of the answer: y and sample_status at the places that the question names; status 0 is success."""
    x = next(entry for entry in question["tensors"] if entry["name"] == "x")
    values = array.array("f", payload[x["offset"]:x["offset"] + 4 * math.prod(x["shape"])])
    result = bytearray(question["output_bytes"])
    for output in question["outputs"]:
        if output["name"] == "y":
            y = array.array("f", (factor * value for value in values)).tobytes()
            result[output["offset"]:output["offset"] + len(y)] = y
    return result


def answer(question, payload, state):
    kind = question["type"]
    if kind == "hello":
        return {"type": "hello", "protocol": 1, "program": "decay", "shared_memory": False}, b""
    if kind == "describe":
        return {"type": "description", "channels": [DESCRIPTION]}, b""
    if kind == "create" and question["channel"] == ID:
        return {"type": "created"}, b""
    if kind == "configure":
        given = question["parameters"]
        state["factor"] = math.exp(-float(given["time"]) / float(given["lifetime"]))
        canonical = "".join(f"{name} = {value}\n" for name, value in sorted(given.items()))
        return {"type": "configured", "y_shape": question["x_shape"], "latents": [], "canonical": canonical, "offers": []}, b""
    if kind == "draw_latents":  # there are none: every sample is well
        return {"type": "result"}, bytes(question["output_bytes"])
    if kind == "simulate":
        return {"type": "result"}, simulate(question, payload, state["factor"])
    return {"type": "error", "status": "BAD_ARGUMENT", "message": f"{kind} is nothing that this program does."}, b""


if __name__ == "__main__":
    channel_state = {}
    message = read()
    while message and message[0]["type"] != "shutdown":
        write(*answer(*message, channel_state))
        message = read()
