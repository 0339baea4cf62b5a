"""The cost model of docs/scaling.md: what a step of a training takes on many GPUs, from figures of one machine and stated assumptions.

usage: scale_model.py [--check PAGE]

Prints the table. With --check it must stand in PAGE, line by line. Standard library only.
"""

import math
import sys

# The network and data of configs/images/mask_paper.toml, and what was measured on one machine (docs/benchmarks).
PARAMETERS = 31_003_523
FORWARD_GFLOP = 23.82 / 4      # one row; docs/benchmarks/throughput.md
DIMENSION = 3 * 32 * 32
LATENTS = 32 * 32              # the mask
SIMULATE_S = 40e-6             # one signal through random_mask, one core; scale.md
READ_S = 6.5e-6                # one row of the file, in memory; scale.md
# Assumed of the machines: 8 GPUs a node, a network card for each.
GPUS_A_NODE = 8
GPU_FLOPS = 100e12             # sustained in bfloat16
HOST_BYTES_A_S = 25e9          # GPU memory to the processor's, each way
SUM_BYTES_A_S = (10e9, 5e9)    # all-reduce of one process through its processor: inside a node, between nodes
LATENCY_S = (2e-6, 5e-6)
# Of the training: signals of a step for each GPU, network rows a signal, evaluations.
SIGNALS = 32
RESAMPLES = 2
EVALUATE_EVERY, EVALUATION_ROWS = 1000, 768


class Recipe:
    def __init__(self, name, transported, calls):
        self.name, self.transported, self.calls = name, transported, calls  # transported rows a step and GPU; network calls for each


RECIPES = [Recipe("paper", SIGNALS, 64), Recipe("pool", SIGNALS // 2, 15)]


def exchange_s(data_bytes, ranks):
    """All ranks get the sum, or all parts, of `data_bytes`: a ring, and the messages' latencies in a tree."""
    between = ranks > GPUS_A_NODE
    rounds = 2 * math.ceil(math.log2(ranks)) if ranks > 1 else 0
    return 2 * (ranks - 1) / ranks * data_bytes / SUM_BYTES_A_S[between] + rounds * LATENCY_S[between]


def step_ms(recipe, ranks):
    """Milliseconds of each part of one step, with SIGNALS signals on each of `ranks` GPUs."""
    row_s = FORWARD_GFLOP * 1e9 / GPU_FLOPS
    gradients = 4 * (PARAMETERS + 1)
    transported = ranks * recipe.transported
    copies = 0.0 if ranks == 1 else 2 * gradients / HOST_BYTES_A_S
    seconds = {
        "fit": 3 * SIGNALS * RESAMPLES * row_s,
        "transport": recipe.transported * recipe.calls * row_s,
        "simulator": (SIGNALS + recipe.transported) * SIMULATE_S,
        "gradients": copies + exchange_s(gradients, ranks),
        "pool": exchange_s(4 * (2 * DIMENSION + LATENTS) * transported, ranks) / 2,  # a gather has half of an all-reduce
        "agreement": 2 * exchange_s(24, ranks),
        "reading": transported * READ_S,
        "evaluation": EVALUATION_ROWS * recipe.calls * row_s / EVALUATE_EVERY,
    }
    return {name: 1e3 * value for name, value in seconds.items()}


def table():
    names = list(step_ms(RECIPES[0], 1))
    lines = ["| recipe | GPUs | rows a step | " + " | ".join(names) + " | step | efficiency |", "|---|---:|---:|" + "---:|" * (len(names) + 2)]
    for recipe in RECIPES:
        for ranks in (1, 8, 64, 512):
            parts = step_ms(recipe, ranks)
            useful = parts["fit"] + parts["transport"] + parts["simulator"]
            total = sum(parts.values())
            cells = [f"{parts[name]:.2f}" for name in names]
            lines.append(f"| {recipe.name} | {ranks} | {ranks * SIGNALS * RESAMPLES:,} | " + " | ".join(cells) + f" | {total:.1f} | {100 * useful / total:.0f} % |")
    return lines


def main():
    lines = table()
    print("\n".join(lines))
    if sys.argv[1:2] == ["--check"] and len(sys.argv) == 3:
        with open(sys.argv[2], encoding="utf-8") as page:
            written = page.read().splitlines()
        missing = [line for line in lines if line not in written]
        if missing:
            sys.exit(f"{sys.argv[2]} does not have these lines of the model:\n" + "\n".join(missing))
    elif len(sys.argv) > 1:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
