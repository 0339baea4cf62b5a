"""The jpeg channel against a Pillow loop, one thread, both in one run, alternating: the measurement in docs/benchmarks/jpeg.md.

    python bench_pillow.py BUILD_FOLDER [ROUNDS]

channel:       float32 planes in [0, 1], batch of 64, one call of the plugin, no noise
Pillow:        the same input and output: every image to levels, Image.save into memory, Image.open, back to float32 planes
Pillow, bytes: from [H, W, 3] uint8 to the same, nothing else
The batches are compared for equality first. Medians over the rounds of the CPU time per image, microseconds.
"""

import io
import pathlib
import statistics
import sys
import time

import numpy as np
import PIL
from PIL import Image, features

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "unit" / "plugins"))
import plugin_host  # noqa: E402

BATCH, QUALITY = 64, 75


def through_pillow(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, subsampling=2)
    return np.asarray(Image.open(stream))


def planes_through_pillow(x, y):
    for i in range(BATCH):
        level = np.clip(x[i] * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
        out = through_pillow(np.ascontiguousarray(level.transpose(1, 2, 0)))
        y[i] = out.transpose(2, 0, 1) / np.float32(255)


def measure(library, size, rounds):
    rng = np.random.default_rng(1)
    row, column = np.mgrid[0:size, 0:size] / size
    edge = (column * size + 3 * np.arange(BATCH)[:, None, None]) % size > size / 2
    smooth = 0.1 + 0.2 * (row + column) + 0.3 * edge
    x = smooth[:, None] + 0.05 * np.arange(3)[:, None, None] + 0.016 * rng.normal(size=(BATCH, 3, size, size))
    x = np.clip(x, 0, 1).astype(np.float32)
    pixels = [np.ascontiguousarray((image * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)) for image in x]
    channel = plugin_host.Channel(library)
    channel.configure((3, size, size), noise_sigma=0.0)
    ids, latents, y = np.arange(BATCH), {"quality": np.full(BATCH, QUALITY, np.int32)}, np.empty_like(x)

    planes_through_pillow(x, y)
    np.testing.assert_array_equal(channel.simulate(1, ids, x, latents), y)
    sides = {"channel": lambda: channel.simulate(1, ids, x, latents), "Pillow": lambda: planes_through_pillow(x, y),
             "Pillow, bytes": lambda: [through_pillow(image) for image in pixels]}
    times = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.process_time()
            run()
            times[name].append((time.process_time() - start) * 1e6 / BATCH)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = ", ".join(f"{name} / channel {value / medians['channel']:.2f}" for name, value in medians.items() if name != "channel")
    print(f"{size} x {size} RGB: " + ", ".join(f"{name} {value:.1f} us" for name, value in medians.items()) + f"; {ratios}")


def main():
    library = pathlib.Path(sys.argv[1]) / "plugins" / "jpeg.so"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 101
    print(f"Pillow {PIL.__version__} with libjpeg-turbo {features.version('libjpeg_turbo')}, NumPy {np.__version__}, {rounds} rounds")
    for size in (32, 64, 256):
        measure(library, size, rounds)


main()
