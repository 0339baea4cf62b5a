"""The other side of bench_python: calls a channel file's simulate directly, once for each line on standard input, and prints the µs that
passed and those that the processor spent.

usage: direct.py FOLDER_OF_UNCHANNEL_RANDOM FILE D BATCH
"""
import runpy
import sys
import time

import numpy as np

sys.path.insert(0, sys.argv[1])
names = runpy.run_path(sys.argv[2])
d, batch = int(sys.argv[3]), int(sys.argv[4])
parameters = {key: entry["default"] for key, entry in names["channel"]["parameters"].items()}
x, ids, latents = np.ones((batch, d), np.float32), np.arange(batch, dtype=np.uint64), {"gain": np.ones(batch, np.float32)}
for _ in sys.stdin:
    begin, spent = time.perf_counter(), time.process_time()
    names["simulate"](x=x, latents=latents, parameters=parameters, key=1, ids=ids)
    print(1e6 * (time.perf_counter() - begin), 1e6 * (time.process_time() - spent), flush=True)
