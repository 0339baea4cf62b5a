"""y = 2 x + 0.1 n, and on request harm: to one sample always, or once when a trigger file exists (it is removed first)."""
import os
import pathlib
import signal
import sys
import time

import numpy as np
import unchannel_random as random

channel = {
    "id": "org.example.python_unruly",
    "parameters": {
        "fault": {"default": "none", "doc": "Harm done to a batch with the poisonous sample.",
                  "choices": ["none", "exception", "shape", "dtype", "nothing", "nan", "exit", "quit", "crash", "hang", "noise", "memory",
                              "write_input", "by_place"]},
        "poison": {"default": -1, "doc": "Id of the poisonous sample; -2: all are."},
        "trigger": {"type": "path", "default": "", "doc": "File that names harm."},
    },
}


def scale(x, fault):
    if fault == "exception":
        raise ArithmeticError("the detector is saturated")
    return 2 * x


def harm(fault, y):
    if fault == "exit":
        sys.exit(3)
    if fault == "quit":
        os._exit(4)
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    while fault == "hang":
        time.sleep(1)
    if fault == "noise":
        os.write(1, b"UCW1 welcome to my instrument\n" * 10000)
        print("it is a fine one", sys.stdin.read())
    if fault == "memory":
        np.ones(1 << 34)
    if fault == "shape":
        return y[:, :-1]
    if fault == "dtype":
        return y.astype(complex)
    return None if fault == "nothing" else y


def simulate(x, parameters, key, ids):
    fault, poison, trigger = parameters["fault"], parameters["poison"], parameters["trigger"]
    poisonous = np.full(len(ids), True) if poison == -2 else ids.astype(np.int64) == poison
    fault = fault if poisonous.any() else "none"
    if trigger and os.path.exists(trigger):
        fault = pathlib.Path(trigger).read_text()
        os.remove(trigger)
    if fault == "write_input":
        x[:] = 0
    y = scale(x, fault) + np.float32(0.1) * random.normal(key, ids, x.shape[1:])
    if fault == "nan":
        y[poisonous] = np.nan
    if fault == "by_place":
        y += np.arange(len(y), dtype=np.float32)[::-1, None] - len(y)
    return harm(fault, y)
