"""y = 2 x: the trivial model of docs/benchmarks/umbridge.md as a Python channel."""
channel = {"id": "org.example.double_py", "version": "1.0.0", "determinism": "per_sample"}


def simulate(x):
    return 2 * x
