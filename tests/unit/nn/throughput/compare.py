"""Throughput of training and transport: the engine beside the same networks and steps in plain PyTorch, interleaved.

usage: compare.py BENCH_THROUGHPUT [--rounds N] [--cases NAME ...] [--threads N ...] [--seconds S]
   BENCH_THROUGHPUT  the program built by `ninja bench_throughput`
   --seconds         the most that one case may take on one number of threads: later rounds are left out (at least three remain)

Step: forward, mean squared error, backward, clipping, Adam, moving average of the weights. Transport: 8 Heun steps, 15 network calls. PyTorch's
side is networks.py with torch.optim.Adam (its default implementation), torch.nn.utils.clip_grad_norm_, a loop of lerp_ over the weights, and
torch.inference_mode in transport. Both load the same weights, and outputs must agree in float32 before anything is timed.

In every round all sides take their turn, forwards and backwards alternately; a ratio is formed within each round. Clock: processor time on one
thread, which other programs on the machine disturb less, elapsed time on more. Peak: the largest rate of a 2048 x 2048 x 2048 product, by
at::matmul or the engine's linear layer, measured in the same rounds.
"""
import argparse
import copy
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from networks import FAMILIES

GEMM_SIZE = 2048
HEUN_STEPS = 8
CALLS = {"step": 3, "transport": 2 * HEUN_STEPS - 1}  # forward passes; a backward pass costs two
LARGEST_DIFFERENCE = 1e-4  # relative L2, float32 sums in another order
TYPES = {"F32": torch.float32}


class Engine:
    """The C++ program behind a pipe."""

    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            raise SystemExit(f"compare: the program ended at '{' '.join(map(str, words))}'; see its message above.")
        return answer.strip()

    def cost(self, *words):
        return tuple(map(float, self.ask(*words).split()))

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def measure(run):
    elapsed, spent = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - elapsed, time.process_time() - spent


class Twin:
    """The same network in PyTorch, with the engine's weights."""

    def __init__(self, case, tensors):
        self.model = FAMILIES[case["family"]](case)
        self.model.load_state_dict({name.removeprefix("weights."): value for name, value in tensors.items() if name.startswith("weights.")})
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=2.8e-4)
        self.x, self.t, self.target = tensors["x"], tensors["t"], tensors["target"]

    def output(self):
        with torch.no_grad():
            return self.model(self.x, self.t)

    def step(self, autocast):
        self.optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            output = self.model(self.x, self.t)
        loss = F.mse_loss(output.float(), self.target)
        loss.item()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for average, parameter in zip(self.ema.parameters(), self.model.parameters()):
                average.lerp_(parameter, 0.01)

    def drift(self, x, t, autocast):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return self.ema(x, torch.full((len(x),), t)).float()

    @torch.inference_mode()
    def transport(self, autocast):
        x, h = self.x, 1 / HEUN_STEPS
        for i in range(HEUN_STEPS, 0, -1):
            slope = self.drift(x, i * h, autocast)
            if i == 1:
                return x - h * slope
            x = x - 0.5 * h * (slope + self.drift(x - h * slope, (i - 1) * h, autocast))


def read_safetensors(path):
    data = bytearray(pathlib.Path(path).read_bytes())
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, _ = about["data_offsets"]
            count = math.prod(about["shape"])
            tensors[name] = torch.frombuffer(data, dtype=TYPES[about["dtype"]], count=count, offset=8 + size + begin).reshape(about["shape"]).clone()
    return tensors


def checked_twin(engine, name, folder):
    """The twin, once it has shown that it is the same function and does the same number of operations."""
    case = json.loads(engine.ask("describe", name))
    path = engine.ask("store", name, os.path.join(folder, f"{name}.safetensors"))
    tensors = read_safetensors(path)
    twin = Twin(case, tensors)
    difference = ((twin.output() - tensors["output"]).norm() / tensors["output"].norm()).item()
    if not difference <= LARGEST_DIFFERENCE:
        raise SystemExit(f"compare: {name}: outputs differ by {difference:.1e} of their size; at most {LARGEST_DIFFERENCE:.0e} is rounding.")
    with FlopCounterMode(display=False) as counter:
        twin.output()
    if abs(counter.get_total_flops() / case["forward_flops"] - 1) > 1e-6:
        raise SystemExit(f"compare: {name}: the engine counts {case['forward_flops']:.0f} operations, PyTorch {counter.get_total_flops()}.")
    print(f"\n{name}: {case['parameters']:,} parameters, batch {case['batch']}, {case['forward_flops'] / 1e9:.2f} GFLOP a forward pass; "
          f"float32 outputs differ by {difference:.1e}", flush=True)
    return case, twin




def sides_of(engine, name, twin, task):
    run = getattr(twin, task)
    return {
        ("engine", "float32"): lambda: engine.cost(task, name, "float32"),
        ("PyTorch", "float32"): lambda: measure(lambda: run(False)),
        ("engine", "bfloat16"): lambda: engine.cost(task, name, "bfloat16"),
        ("PyTorch", "bfloat16"): lambda: measure(lambda: run(True)),
        ("peak", "float32"): lambda: engine.cost("gemm", GEMM_SIZE, "float32"),
        ("peak", "bfloat16"): lambda: engine.cost("gemm", GEMM_SIZE, "bfloat16"),
    }


def interleave(sides, rounds, seconds, clock):
    """Times of every side, one a round; the first round warms up and does not count."""
    times = {side: [] for side in sides}
    deadline = time.monotonic() + seconds
    for number in range(rounds + 1):
        for side in list(sides)[::1 if number % 2 else -1]:
            cost = sides[side]()[clock]
            if number > 0:
                times[side].append(cost)
        if number >= 3 and time.monotonic() > deadline:
            break
    return times


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio_text(numerators, denominators):
    low, middle, high = quartiles([a / b for a, b in zip(numerators, denominators)])
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def report(name, task, threads, case, times):
    plain = times["PyTorch", "float32"]
    flops = CALLS[task] * case["forward_flops"]
    for precision in ("float32", "bfloat16"):
        ours, like = times["engine", precision], times["PyTorch", precision]
        peak = 2 * GEMM_SIZE**3 / min(times["peak", precision])
        rate = flops / statistics.median(ours)
        print(f"{name} | {task} | {threads} | {precision} | {1e3 * statistics.median(ours):.1f} | {1e3 * statistics.median(plain):.1f} | "
              f"{ratio_text(plain, ours)} | {ratio_text(like, ours)} | {rate / 1e9:.0f} | {100 * rate / peak:.0f} % | {len(ours)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--cases", nargs="+")
    parser.add_argument("--tasks", nargs="+", default=["step", "transport"])
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count()}))
    given = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {os.cpu_count()} processors, at most {given.rounds} rounds; ratios are medians with quartiles")
    engine = Engine(given.program)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in given.cases or json.loads(engine.ask("cases")):
                case, twin = checked_twin(engine, name, folder)
                print("case | task | threads | engine's precision | engine ms | PyTorch float32 ms | PyTorch float32 / engine | "
                      "PyTorch at the same precision / engine | GFLOP/s | share of peak | rounds")
                for threads in given.threads:
                    torch.set_num_threads(threads)
                    engine.ask("threads", threads)
                    for task in given.tasks:
                        sides = sides_of(engine, name, twin, task)
                        report(name, task, threads, case, interleave(sides, given.rounds, given.seconds / 2, 1 if threads == 1 else 0))
    finally:
        engine.close()


if __name__ == "__main__":
    main()
