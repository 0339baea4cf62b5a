"""Calls a second of UM-Bridge over HTTP for a trivial model, y = 2 x: server of the Python package `umbridge`, its own client and ours.

usage: umbridge_benchmark.py UMBRIDGE_CALLS [--size D] [--calls N] [--rounds N] [--side NAME=COMMAND ...]
   UMBRIDGE_CALLS  the program built by `ninja umbridge_calls`
   --side          one more side: a command whose first word of output is its calls a second, e.g. the same model behind a worker

All sides take turns in every round, so that other programs on the machine disturb them alike. Prints medians, and the ratio of the
medians of each round. Needs the package in the interpreter that runs this.
"""
import argparse
import http.client
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import time

import umbridge


class Double(umbridge.Model):
    def __init__(self, size):
        super().__init__("double")
        self.size = size

    def get_input_sizes(self, config):
        return [self.size]

    def get_output_sizes(self, config):
        return [self.size]

    def supports_evaluate(self):
        return True

    def __call__(self, parameters, config):
        return [[2 * value for value in parameters[0]]]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/Info")
            return json.loads(connection.getresponse().read())
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not start")


def rate(calls, call):
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return calls / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--side", action="append", default=[])
    given = parser.parse_args()
    program, size, calls, rounds = given.program, given.size, given.calls, given.rounds
    port = free_port()
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(port), str(size)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        url = f"http://127.0.0.1:{port}"
        model = umbridge.HTTPModel(url, "double")
        x = [[0.1 * (d % 97) - 3.3 for d in range(size)]]
        assert model(x) == [[2 * value for value in x[0]]]
        local = Double(size)
        cpu_ms = []

        def ours(connections):
            rate_, cpu = map(float, subprocess.check_output([program, url, "double", str(size), str(calls), str(connections)]).split())
            cpu_ms.append(cpu)
            return rate_

        sides = {
            "umbridge client (Python package)": lambda: rate(calls, lambda: model(x)),
            "our client, 1 connection": lambda: ours(1),
            "our client, 4 connections": lambda: ours(4),
            "the model itself, called in Python": lambda: rate(calls, lambda: local(x, {})),
        }
        for side in given.side:
            name, command = side.split("=", 1)
            sides[name] = lambda words=shlex.split(command): float(subprocess.check_output(words).split()[0])
        measured = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                measured[name].append(side())
        reference = measured["umbridge client (Python package)"]
        print(f"D = {size}, {calls} calls a round, {rounds} rounds, {os.cpu_count()} cores")
        for name, rates in measured.items():
            ratio = statistics.median(a / b for a, b in zip(rates, reference))
            print(f"{name}: {statistics.median(rates):.0f} calls/s ({min(rates):.0f} to {max(rates):.0f}), {ratio:.2f} times the Python client")
        print(f"CPU time of our client: {statistics.median(cpu_ms):.3f} ms a call")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        umbridge.serve_models([Double(int(sys.argv[3]))], int(sys.argv[2]))
    else:
        main()
