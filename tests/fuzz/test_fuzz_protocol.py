"""Garbage at both ends of the worker protocol: the Python runner, the compiled worker and the host's reader answer it with a reason and an
end, never with a crash, a hang or memory that a message merely announces.

UNCHANNEL_FUZZ_ROUNDS: cases for each end, by default 4000 inside one process and 12 where each needs one. Seeds are fixed.
"""
import io
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
WORKER = pathlib.Path(os.environ.get("UNCHANNEL_BINARY_DIR", ROOT / "build" / "release")) / "bin" / "unchannel-worker"
sys.path[:0] = [str(ROOT / "apps/worker/python"), str(ROOT / "plugin-api/python")]
try:
    import numpy as np
    import unchannel_runner
    from unchannel_runner import channel_file, problems, stream
except ImportError:
    print("NumPy is missing")
    sys.exit(77)

ROUNDS = int(os.environ.get("UNCHANNEL_FUZZ_ROUNDS", "0"))
EXAMPLE = ROOT / "plugin-api/examples/python/binned_detector.py"
PREFIX = struct.Struct("<4sIQ")
B, D = 3, 8


def frame(header, payload=b""):
    text = json.dumps(header, separators=(",", ":")).encode()
    return PREFIX.pack(b"UCW1", len(text), len(payload)) + text + payload


def call(kind="simulate"):
    """A call to binned_detector that is right."""
    def entries(*arrays):
        return [{"name": name, "dtype": dtype, "shape": shape, "offset": 64 * i} for i, (name, dtype, shape) in enumerate(arrays)]

    # 96 bytes of x: the buffers overlap, which harms nobody.
    tensors = entries(("ids", "uint64", [B]), ("x", "float32", [B, D]), ("latents/gain", "float32", [B]))
    outputs = entries(("y", "float32", [B, D // 2]), ("sample_status", "int32", [B]))
    return {"type": kind, "count": B, "key": "00000000deadbeef", "tensors": tensors, "outputs": outputs, "output_bytes": 256}


def garbled(dice, data, most=4):
    """Some bytes changed, inserted or taken away; sometimes cut."""
    data = bytearray(data)
    for _ in range(dice.randint(1, most)):
        at, kind = dice.randrange(len(data)), dice.randrange(8)
        if kind < 6:
            data[at] = dice.choice((dice.randrange(256), data[at] ^ 1 << dice.randrange(8), ord(dice.choice("0123456789,[]{}\"-e."))))
        elif kind == 6:
            data[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 40)))
        elif len(data) > 40:
            del data[at:at + dice.randint(1, 40)]
    return bytes(data[: dice.randrange(len(data))] if dice.randrange(4) == 0 else data)


def mutated(dice, value):
    """A JSON value with one place replaced by something of another size or kind."""
    odd = [None, True, -1, 0, 2**31, 2**63, 2**64, 1e308, "", "y", "inf", [], {}, [0], [-1], [B, D, 10**9], {"name": "x"}]
    if isinstance(value, dict) and value and dice.randrange(5):
        key = dice.choice(sorted(value))
        changed = dict(value)
        if dice.randrange(6) == 0:
            del changed[key]
        else:
            changed[key] = mutated(dice, value[key])
        return changed
    if isinstance(value, list) and value and dice.randrange(5):
        at = dice.randrange(len(value))
        return value[:at] + ([] if dice.randrange(6) == 0 else [mutated(dice, value[at])]) + value[at + 1:]
    return dice.choice(odd)


class Reader(stream.HostStream):
    """The runner's stream on bytes in memory instead of descriptors 0 and 1."""

    def __init__(self, data=b""):  # not the base's, which takes the standard streams over
        self._in = io.BufferedReader(io.BytesIO(data))
        self.answers = []

    def write(self, header, payload=b""):
        json.dumps(header)
        self.answers.append((header, bytes(payload)))


class Runner(unittest.TestCase):
    """unchannel_runner in this process."""

    def test_bytes_that_are_no_messages_are_refused_or_awaited(self):
        good = frame({"type": "hello", "protocol": 1}) + frame(call(), bytes(256)) + frame({"type": "shutdown"})
        dice, whole, refused = random.Random(1), 0, 0
        for _ in range(ROUNDS or 4000):
            reader = Reader(garbled(dice, good))
            try:
                while (message := reader.read()) is not None:
                    self.assertIsInstance(stream.read_header(message[0]), dict)
                    whole += 1
            except problems.ProtocolError as error:
                self.assertTrue(str(error))
                refused += 1
        self.assertGreater(whole, 100)
        self.assertGreater(refused, 100)

    def test_announced_sizes_cost_no_memory(self):
        reader = Reader(PREFIX.pack(b"UCW1", 2, 2**40) + b"{}")
        self.assertIsNone(reader.read())  # a payload of a TiB that never comes
        with self.assertRaises(problems.ProtocolError):
            Reader(PREFIX.pack(b"UCW1", 2, 2**40 + 1) + b"{}").read()

    def server(self):
        main = runpy_main()
        server = main.Server(str(EXAMPLE), "", Reader())
        ask(server, {"type": "create", "channel": "org.example.binned_detector"})
        ask(server, {"type": "configure", "x_shape": [D], "parameters": self.parameters(server)})
        return main, server

    @staticmethod
    def parameters(server):
        return {p["id"]: p["default"] for p in ask(server, {"type": "describe"})[0]["channels"][0]["parameters"]}

    def test_wrong_questions_get_an_answer_with_a_reason(self):
        main, server = self.server()
        dice, results, refusals = random.Random(2), 0, 0
        good = [call(), call("mean"), {"type": "configure", "x_shape": [D], "parameters": self.parameters(server)},
                {"type": "create", "channel": "org.example.binned_detector"}, {"type": "hello", "shared_memory": {"descriptor": 0}}]
        for _ in range(ROUNDS or 4000):
            question = mutated(dice, dice.choice(good))
            if not isinstance(question, dict):
                continue
            question = {**question, "output_bytes": min(question["output_bytes"], 4096)} if is_size(question.get("output_bytes")) else question
            host = Reader()
            with np.errstate(all="ignore"):
                text, payload = json.dumps(question).encode(), dice.choice((bytes(256), b"", bytes(100)))
                main._answer_safely(host, question.get("type"), server.answer, text, question, payload)
            self.assertEqual(len(host.answers), 1, question)
            answer = host.answers[0][0]
            if answer["type"] == "error":
                self.assertTrue(answer["message"], question)
                refusals += 1
            else:
                results += 1
        self.assertGreater(results, 50)
        self.assertGreater(refusals, 500)


def ask(server, header, payload=b""):
    return server.answer(json.dumps(header).encode(), header, payload)


def is_size(value):
    return isinstance(value, int) and not isinstance(value, bool)


def runpy_main():
    """unchannel_runner/__main__.py as a module; its main part does not run."""
    import importlib.util

    path = pathlib.Path(unchannel_runner.__file__).parent / "__main__.py"
    spec = importlib.util.spec_from_file_location("unchannel_runner_main", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np, module.channel_file, module.problems, module.stream = np, channel_file, problems, stream
    return module


GARBLER = '''import random, sys
sys.path.insert(0, {tests!r})
import test_fuzz_protocol as fuzz
dice = random.Random({seed})
for answer in {answers!r}:
    prefix = sys.stdin.buffer.read(16)
    if len(prefix) < 16:
        break
    _, header, payload = fuzz.PREFIX.unpack(prefix)
    sys.stdin.buffer.read(header + payload)
    sys.stdout.buffer.write(fuzz.garbled(dice, answer) if dice.randrange(2) else answer)
    sys.stdout.buffer.flush()
'''


# Answers as it should, but some headers, and notes before them, are changed somewhere: frames stay whole, so that nobody waits for bytes.
LIAR = '''import random, sys
sys.path.insert(0, {tests!r})
import test_fuzz_protocol as fuzz
decay = {{"__name__": "decay"}}
exec(compile(open({program!r}).read(), "_decay.py", "exec"), decay)
dice, state = random.Random({seed}), {{}}
notes = [{{"type": "log", "level": 1, "text": "x"}}, {{"type": "progress", "fraction": 0.5, "what": "x"}}]
while (message := decay["read"]()) and message[0]["type"] != "shutdown":
    if dice.randrange(3) == 0:
        decay["write"](fuzz.mutated_table(dice, dice.choice(notes)))
    header, payload = decay["answer"](*message, state)
    decay["write"](fuzz.mutated_table(dice, header) if dice.randrange(4) == 0 else header, payload)
'''


def mutated_table(dice, header):
    """A changed header that is still a JSON object with a type."""
    changed = mutated(dice, header)
    return changed if isinstance(changed, dict) and "type" in changed else header


@unittest.skipUnless(WORKER.exists(), f"{WORKER} is not built")
class Processes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_the_compiled_worker_answers_garbage_and_ends_by_itself(self):
        # A manifest whose command is cat: the worker's own reader and call layout, with a channel behind them.
        plugin = self.folder / "rows.channel.toml"
        plugin.write_text('[program]\ncommand = ["cat"]\nrows = "float32"\n[channel]\nid = "org.example.rows"\n')
        simulate = call()
        simulate["outputs"][0].update(shape=[B, D], offset=64)
        simulate["outputs"][1]["offset"] = 0
        good = b"".join((frame({"type": "hello", "protocol": 1}), frame({"type": "describe"}),
                         frame({"type": "create", "channel": "org.example.rows", "threads": 1}),
                         frame({"type": "configure", "x_shape": [D], "parameters": {}}), frame(simulate, bytes(256))))
        dice, results = random.Random(3), 0
        for _ in range(ROUNDS or 12):
            done = subprocess.run([WORKER, "--serve", plugin], input=garbled(dice, good, 2), capture_output=True, check=False, timeout=60)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            answers = Reader(done.stdout)
            while (message := answers.read()) is not None:
                header = stream.read_header(message[0])
                results += header["type"] != "error"
                self.assertTrue(header["type"] != "error" or header["message"])
        self.assertGreater(results, 0)

    def test_the_host_gives_a_reason_for_a_program_that_answers_garbage(self):
        with open(ROOT / "plugin-api/examples/program/_decay.py", encoding="utf-8") as file:
            decay = {"__name__": "decay"}
            exec(compile(file.read(), "_decay.py", "exec"), decay)  # its answers, to be garbled
        answers = [frame(decay["answer"]({"type": kind}, b"", {})[0]) for kind in ("hello", "describe")]
        plugin = self.folder / "garbler.channel.toml"
        plugin.write_text('[program]\ncommand = ["%s", "./_garbler.py"]\n' % sys.executable)
        good = bad = 0
        for seed in range(ROUNDS or 12):
            (self.folder / "_garbler.py").write_text(GARBLER.format(tests=str(pathlib.Path(__file__).parent), seed=seed, answers=answers))
            done = subprocess.run([WORKER, "--probe", plugin], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            answer = json.loads(done.stdout.splitlines()[-1])
            self.assertTrue(answer["good"] or answer["reason"], answer)
            good += answer["good"]
            bad += not answer["good"]
        self.assertGreater(good, 0)
        self.assertGreater(bad, 0)

    def test_the_host_gives_a_reason_for_answers_of_wrong_types(self):
        plugin = self.folder / "liar.channel.toml"
        plugin.write_text('[program]\ncommand = ["%s", "./_liar.py"]\n' % sys.executable)
        verdicts = {"pass": 0, "fail": 0}
        for seed in range(ROUNDS or 12):
            program = ROOT / "plugin-api/examples/program/_decay.py"
            (self.folder / "_liar.py").write_text(LIAR.format(tests=str(pathlib.Path(__file__).parent), program=str(program), seed=seed))
            done = subprocess.run([WORKER, "--check", "repeat-bitwise", plugin], capture_output=True, text=True, check=False, timeout=60,
                                  env={**os.environ, "XDG_CACHE_HOME": str(self.folder)})
            self.assertEqual(done.returncode, 0, done.stderr)
            answer = json.loads(done.stdout.splitlines()[-1])
            self.assertTrue(answer["verdict"] == "pass" or answer["reason"], answer)
            if "json.exception" in answer["reason"]:  # as a detail of a sentence of ours only
                self.assertRegex(answer["reason"], "not understood|does not speak the protocol")
            verdicts[answer["verdict"]] += 1
        self.assertGreater(verdicts["fail"], 0)


if __name__ == "__main__":
    unittest.main()
