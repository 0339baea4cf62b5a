"""The conversation: `python3 unchannel_runner --probe FILE` and `--serve FILE [--sha256 HEX] [--threads N]`.

unchannel-worker starts this (apps/worker/README.md); the protocol is docs/reference/worker_protocol.md.
"""
import gc
import os
import sys

PROTOCOL = 1
_FAILED = 1  # UNCHANNEL_SAMPLE_FAILED
_CALLS_KEPT = 16


def _option(name, default=""):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def _limit_threads(count):
    """Before NumPy is loaded. Libraries that the user has set otherwise stay so."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", count)


class Server:
    def __init__(self, path, sha256, stream):
        self._path, self._sha256, self._stream = path, sha256, stream
        self._file = self._memory = None
        self._configured = self._compared = False
        self._known = {}  # calls in shared memory that differ in the key alone, by the rest of their headers

    def known(self, text):
        """What a header says, ready to be done, when it differs from an earlier one in its key alone; None otherwise."""
        parts = stream.split_at_key(text) if self._known else None
        call = self._known.get((parts[0], parts[2])) if parts else None
        return (parts[1], *call) if call and self._memory.is_current() else None

    def answer(self, text, header, payload):
        """text: the header's, in JSON."""
        kind = header.get("type")
        questions = {"hello": self._hello, "describe": self._describe, "create": self._create, "configure": self._configure}
        if kind in questions:
            self._known.clear()
            return questions[kind](header)
        if kind not in ("draw_latents", "simulate", "lift", "mean", "vjp", "loglik"):
            raise problems.ProtocolError(f"'{kind}' is no question of protocol {PROTOCOL}.")
        return self.call(header["key"], *self._arrays(text, header, payload))

    def _load(self):
        if self._file is None:
            self._file = channel_file.ChannelFile(self._path, channel_file.read(self._path, self._sha256))
        return self._file

    def _hello(self, header):
        if "shared_memory" in header:
            self._memory = stream.SharedMemory(header["shared_memory"]["descriptor"])
        return {"type": "hello", "protocol": PROTOCOL, "program": f"unchannel_runner, Python {sys.version.split()[0]}",
                "shared_memory": self._memory is not None}, b""

    def _describe(self, header):
        return {"type": "description", "channels": [self._load().description]}, b""

    def _create(self, header):
        found = self._load().description["id"]
        if header["channel"] != found:
            raise problems.Refused(f"holds the channel {found}, not {header['channel']}.")
        return {"type": "created"}, b""

    def _configure(self, header):
        y_shape, shapes, canonical = self._load().configure(header["x_shape"], header["parameters"])
        self._configured, self._compared = True, False
        gc.freeze()  # what is loaded now stays: the collector need not look at it again and again
        return {"type": "configured", "y_shape": y_shape, "latents": [{"active": True, "shape": shape} for shape in shapes],
                "canonical": canonical, "offers": self._file.description["capabilities"]}, b""

    def _arrays(self, text, header, payload):
        kind = header["type"]
        if not self._configured:
            raise problems.ProtocolError(f"{kind} before configure.")
        shared = header.get("data") == "shared"
        if shared and self._memory is None:
            raise problems.ProtocolError("the call's data are in shared memory, but hello offered none.")
        if shared and not self._memory.is_current():
            self._known.clear()
        results = self._memory.view() if shared else bytearray(header.get("output_bytes", 0))
        region = results if shared else payload
        inputs = {entry["name"]: stream.array(region, entry, False) for entry in header["tensors"]}
        outputs = {entry["name"]: stream.array(results, entry, True) for entry in header["outputs"]}
        call = kind, inputs, outputs, outputs.pop("sample_status"), b"" if shared else results
        parts = stream.split_at_key(text)
        if shared and parts and parts[1].decode() == header["key"]:
            if len(self._known) >= _CALLS_KEPT:
                self._known.clear()
            self._known[parts[0], parts[2]] = call
        return call

    def call(self, key, kind, inputs, outputs, status, results):
        # New arrays on the same memory: a file may change the shape of what it gets.
        inputs = {name: values.view() for name, values in inputs.items()}
        status[...] = 0
        key = int(key, 16)
        try:
            self._file.call(kind, key, inputs, outputs)
        except problems.Refused as refusal:
            self._one_by_one(kind, key, inputs, outputs, status, refusal)
        if kind == "simulate" and len(status) > 1 and not self._compared:
            self._compare(key, inputs, outputs)
        return stream.RESULT, results

    def _one_by_one(self, kind, key, inputs, outputs, status, refusal):
        """Finds the samples to blame where samples do not depend on each other; when all are, the function is."""
        if self._file.description["determinism"] != "per_sample" or len(status) < 2:
            raise refusal
        for i in range(len(status)):
            one = slice(i, i + 1)
            try:
                self._file.call(kind, key, {k: v[one] for k, v in inputs.items()}, {k: v[one] for k, v in outputs.items()})
            except problems.Refused as failure:
                refusal = failure
                status[i] = _FAILED
                for out in outputs.values():
                    out[i] = 0
        if (status != 0).all():
            raise refusal
        self._log(f"{int((status != 0).sum())} of {len(status)} samples of {kind} fail; the last: {refusal}")

    def _compare(self, key, inputs, outputs):
        """Once for each configuration: is the last sample alone the same as in its batch?"""
        self._compared = True
        if self._file.description["determinism"] != "per_sample":
            return
        alone = {k: v[-1:].copy() for k, v in outputs.items()}
        try:
            self._file.call("simulate", key, {k: v[-1:] for k, v in inputs.items()}, alone)
        except (problems.Refused, MemoryError):
            return
        if any(alone[k].tobytes() != outputs[k][-1:].tobytes() for k in alone) and all(np.isfinite(v).all() for v in alone.values()):
            self._log("simulate gives other bits for one sample alone than within its batch, so it is not 'per_sample'. Random numbers must "
                      "come from unchannel_random with key and ids; matrix products of a batch and sums over it depend on the batch. "
                      "Otherwise declare 'determinism': 'per_batch' or 'none' in the table.")

    def _log(self, text):
        self._stream.write({"type": "log", "level": 2, "text": text})


def _answer_safely(host, kind, function, *arguments):
    status = "BAD_ARGUMENT"
    try:
        return host.write(*function(*arguments))
    except (problems.Refused, problems.ProtocolError) as error:
        message = str(error)
    except MemoryError:
        status, message = "RETRYABLE", "out of memory"
    except Exception as error:  # a question that is wrong in any way; what the file throws is a Refused already
        message = f"'{kind}' is not understood: {type(error).__name__}: {error}"
    host.write({"type": "error", "status": status, "message": problems.one_line(message)})


def serve(path, sha256):
    host = stream.HostStream()
    server = Server(path, sha256, host)
    try:
        while True:
            message = host.read()
            if message is None:
                return 0
            text, payload = message
            call = server.known(text)
            if call:
                _answer_safely(host, call[1], server.call, *call)
                continue
            header = stream.read_header(text)
            if header.get("type") == "shutdown":
                return 0
            _answer_safely(host, header.get("type"), server.answer, text, header, payload)
    except (problems.ProtocolError, MemoryError) as error:
        host.write({"type": "error", "status": "BAD_ARGUMENT", "message": str(error)})
        return 1


def probe(path):
    host = stream.HostStream()
    host.write_line({"stage": "the import of the file"})
    try:
        file = channel_file.ChannelFile(path, channel_file.read(path))
        host.write_line({"good": True, "abi": f"python {PROTOCOL}", "channels": [file.description], "needed": file.helpers()})
    except problems.Refused as refusal:
        host.write_line({"good": False, "reason": str(refusal)})
    return 0


def _complain(mode, text):
    """Without NumPy: an answer for a probe, standard error otherwise."""
    import json

    if mode == "--probe":
        print(json.dumps({"good": False, "reason": text}))
    else:
        print(text, file=sys.stderr)
    return 0 if mode == "--probe" else 1


if __name__ == "__main__":
    mode = sys.argv[1] if len(sys.argv) > 2 else ""
    if mode not in ("--probe", "--serve"):
        sys.exit(__doc__)
    _limit_threads(_option("--threads", "1"))
    # The folder of unchannel_random and of this package instead of this package's inside.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        import numpy as np
        from unchannel_runner import channel_file, problems, stream
    except ImportError as error:
        version = ".".join(map(str, sys.version_info[:3]))
        sys.exit(_complain(mode, f"needs NumPy, and {sys.executable} (Python {version}) cannot import it: {error}. Install it there "
                                 "(python3 -m pip install numpy), or name an interpreter that has it in UNCHANNEL_PYTHON."))
    sys.exit(probe(sys.argv[2]) if mode == "--probe" else serve(sys.argv[2], _option("--sha256")))
