"""The numbers of draw.c for NumPy; unchannel_random.py lies in share/unchannel/python."""
import numpy as np
import unchannel_random as random

call_key = 42
noise_key = random.derive(call_key, random.tag(random.TAG_NOISE, 0))
defect_key = random.derive(call_key, random.tag(random.TAG_NOISE, 1))
ids = np.arange(100, 103)

n = random.normal(noise_key, ids, 4)  # [3, 4]: row i depends on ids[i] alone
pixel = random.below(random.words(defect_key, ids, 1), 1024)[:, 0]

truncated = np.full(len(ids), np.inf, dtype=np.float32)
block = 0
while np.any(truncated > 1):
    proposal = random.normal(defect_key, ids, 2, block=block)[:, 1]
    truncated = np.where(truncated > 1, proposal, truncated)
    block += 1

for row, p, t in zip(n, pixel, truncated):
    print(*(f"{value:.9g}" for value in row), p, f"{t:.9g}")
