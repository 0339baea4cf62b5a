"""The spectrograph against the same model in NumPy and SciPy, one thread, both in one run, alternating: the measurement in
docs/benchmarks/spectrograph.md.

    python bench_scipy.py BUILD_FOLDER [ROUNDS] [REGIMES, e.g. arms]

One step: the latents (a FWHM for each spectrum or arm, an SNR) and y of a batch of 256 spectra of 1024 pixels, float32.
channel: draw_latents and simulate of the plugin, into the same memory.
NumPy:   each of these, all float32, into memory that is kept, in blocks of 32 spectra (256 kB in the caches) or all at once; the fastest is
         compared with. band: shifted sums of the reflected spectra, one for each pair of weights, cut at 5 sigma like the plugin's. dct: two
         cosine transforms (scipy.fft), which reflect by themselves. oaconvolve: scipy.signal.oaconvolve along the rows. Noise: Generator
         with SFC64, standard_normal in float32.
The means are compared first. Medians over the rounds of the CPU time per spectrum, microseconds.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import functools  # noqa: E402
import itertools  # noqa: E402
import pathlib  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
import scipy  # noqa: E402
import scipy.fft  # noqa: E402
import scipy.signal  # noqa: E402
from scipy.special import ndtr  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "unit" / "plugins"))
import plugin_host  # noqa: E402

BATCH, PIXELS, LOW, HIGH = 256, 1024, 4000.0, 5320.0
SPREAD = 0.05
SIGMA_PER_FWHM = (PIXELS - 1) / np.log(HIGH / LOW) / (2 * np.sqrt(2 * np.log(2)))  # pixels
F = np.float32
# name: arms as (share of the pixels, FWHM in ln(wavelength)), SNR, sky lines as (centre, width)
REGIMES = {
    "R5000": ([(1.0, 1 / 5000)], (0.5, 2.0), []),
    "R50": ([(1.0, 1 / 50)], (30.0, 50.0), []),
    "arms": ([(0.5, 1 / 2000), (0.5, 1 / 5000)], (5.0, 20.0), []),
    "arms and sky": ([(0.5, 1 / 2000), (0.5, 1 / 5000)], (5.0, 20.0), [(4358.3, 8.0), (5199.0, 8.0)]),
}
FREQUENCY = (np.pi * np.arange(PIXELS) / PIXELS).astype(F)
SINC = np.sinc(np.arange(PIXELS) / PIXELS / 2).astype(F)


def weights(sigma):
    """[B, 1 + radius] float32, the Gaussian integrated over pixels."""
    k = np.arange(int(np.ceil(5 * sigma.max() + 0.5)) + 1)
    w = ndtr((k + 0.5) / sigma[:, None])
    w = np.concatenate([2 * w[:, :1] - 1, np.diff(w, axis=1)], axis=1)
    return (w / (w[:, :1] + 2 * w[:, 1:].sum(axis=1, keepdims=True))).astype(F)


@functools.cache
def scratch(name, *shape):
    return np.empty(shape, F)


def reflected(x, radius):
    padded = scratch("padded", len(x), PIXELS + 2 * radius)
    padded[:, radius:radius + PIXELS] = x
    padded[:, :radius] = x[:, :radius][:, ::-1]
    padded[:, radius + PIXELS:] = x[:, PIXELS - radius:][:, ::-1]
    return padded


def band(x, sigma, first, last, y):
    w = weights(sigma)
    radius = w.shape[1] - 1
    padded, pair = reflected(x, radius), scratch("pair", len(x), last - first)
    np.multiply(padded[:, radius + first:radius + last], w[:, :1], out=y)
    for k in range(1, radius + 1):
        np.add(padded[:, radius + first - k:radius + last - k], padded[:, radius + first + k:radius + last + k], out=pair)
        np.multiply(pair, w[:, k:k + 1], out=pair)
        np.add(y, pair, out=y)


@functools.cache
def cosines(count):
    table = 2 * np.cos(np.arange(count)[:, None] * FREQUENCY[None].astype(float))
    table[0] = 1
    return table.astype(F)


def transfer_function(sigma):
    """[B, D]: from the weights where they are few, otherwise sinc(f) of the pixel times exp(-(sigma f)^2 / 2)."""
    transfer = scratch("transfer", len(sigma), PIXELS)
    if sigma.max() < 4:
        w = weights(sigma)
        return np.matmul(w, cosines(w.shape[1]), out=transfer)
    np.multiply(FREQUENCY, sigma[:, None].astype(F), out=transfer)
    np.multiply(transfer, transfer, out=transfer)
    np.multiply(transfer, F(-0.5), out=transfer)
    np.exp(transfer, out=transfer)
    return np.multiply(transfer, SINC, out=transfer)


def dct(x, sigma, first, last, y):
    spectrum = scipy.fft.dct(x, axis=1)
    np.multiply(spectrum, transfer_function(sigma), out=spectrum)
    y[:] = scipy.fft.idct(spectrum, axis=1, overwrite_x=True)[:, first:last]


def oaconvolve(x, sigma, first, last, y):
    w = weights(sigma)
    radius = w.shape[1] - 1
    kernel = np.concatenate([w[:, :0:-1], w], axis=1)
    y[:] = scipy.signal.oaconvolve(reflected(x, radius), kernel, mode="valid", axes=1)[:, first:last]


def borders(arms):
    return [0, *(round(PIXELS * share) for share in itertools.accumulate(share for share, _ in arms))]


def smooth(methods, arms, x, factors, y):
    """Every arm by its own method."""
    edges = borders(arms)
    for arm, (method, (_, fwhm)) in enumerate(zip(methods, arms)):
        method(x, SIGMA_PER_FWHM * fwhm * factors[:, arm], edges[arm], edges[arm + 1], y[:, edges[arm]:edges[arm + 1]])


def numpy_side(regime, methods, block, x):
    arms, (snr_min, snr_max), sky = REGIMES[regime]
    rng = np.random.Generator(np.random.SFC64(1))
    wavelength = LOW * (HIGH / LOW) ** ((np.arange(PIXELS + 1) - 0.5) / (PIXELS - 1))
    masked = np.flatnonzero(np.any([(wavelength[:-1] < c + w / 2) & (wavelength[1:] > c - w / 2) for c, w in sky], axis=0)) if sky else None
    y = np.empty_like(x)

    def run():
        for at in range(0, BATCH, block):
            rows, part = y[at:at + block], scratch("part", block, PIXELS)
            smooth(methods, arms, x[at:at + block], 1 + SPREAD * (2 * rng.random((block, len(arms))) - 1), rows)
            snr = rng.uniform(snr_min, snr_max, block)
            np.abs(rows, out=part)
            sigma = (part.sum(axis=1) / (PIXELS * snr)).astype(F)
            rng.standard_normal(out=part, dtype=F)
            np.multiply(part, sigma[:, None], out=part)
            np.add(rows, part, out=rows)
            if masked is not None:
                rows[:, masked] = rng.standard_normal((block, len(masked)), dtype=F)
        return y

    return run


def configured(library, regime, folder):
    arms, (snr_min, snr_max), sky = REGIMES[regime]
    parameters = {"resolution_relative_spread": SPREAD, "snr_min": snr_min, "snr_max": snr_max}
    if len(arms) == 1:
        parameters["resolution_delta_ln_lambda"] = arms[0][1]
    else:
        edges = [LOW, *(LOW * (HIGH / LOW) ** ((edge - 0.5) / (PIXELS - 1)) for edge in borders(arms)[1:-1]), HIGH]
        lines = (f"{float(low)!r} {float(high)!r} {fwhm!r}\n" for low, high, (_, fwhm) in zip(edges, edges[1:], arms))
        parameters["resolution_arms"] = "".join(lines)
    if sky:
        parameters |= {"sky_lines": "table", "sky_line_table": folder / "sky.txt"}
        parameters["sky_line_table"].write_text("".join(f"{centre} {width}\n" for centre, width in sky))
    channel = plugin_host.Channel(library)
    channel.configure((PIXELS,), **parameters)
    return channel


def compare(channel, regime, methods, x):
    """Largest difference of the means in the observed pixels."""
    latents = channel.draw_latents(1, np.arange(BATCH))
    factors = latents["resolution_factor"] if "resolution_factor" in latents else (latents["resolution"] / REGIMES[regime][0][0][1])[:, None]
    wanted, mean = np.empty_like(x), channel.mean(x, latents)
    smooth(methods, REGIMES[regime][0], x, factors.astype(np.float64), wanted)
    error = np.abs(np.where(mean != 0, mean - wanted, 0)).max()
    assert error < 1e-4, (regime, methods, error)


def measure(library, regime, rounds):
    arms = REGIMES[regime][0]
    x = (1 + 0.3 * np.random.default_rng(2).normal(size=(BATCH, PIXELS))).astype(F)
    with tempfile.TemporaryDirectory() as folder:
        channel = configured(library, regime, pathlib.Path(folder))
    sides = {"channel": channel.simulation(1, np.arange(BATCH), x)}
    for method, block in itertools.product((band, dct, oaconvolve), (32, BATCH)):
        if method is band and max(fwhm for _, fwhm in arms) > 1 / 200:
            continue  # hundreds of sums
        compare(channel, regime, [method] * len(arms), x)
        sides[f"{method.__name__} {block}"] = numpy_side(regime, [method] * len(arms), block, x)
    times = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.process_time()
            run()
            times[name].append((time.process_time() - start) * 1e6 / BATCH)
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min((name for name in medians if name != "channel"), key=medians.get)
    print(f"{regime}: " + ", ".join(f"{name} {value:.2f}" for name, value in medians.items()) +
          f" us; smallest {min(times['channel']):.2f} and {min(times[best]):.2f}; {best} / channel {medians[best] / medians['channel']:.2f}",
          flush=True)


def main():
    library = pathlib.Path(sys.argv[1]) / "plugins" / "spectrograph.so"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 101
    print(f"NumPy {np.__version__}, SciPy {scipy.__version__}, {rounds} rounds, {BATCH} spectra of {PIXELS} pixels")
    for regime in sys.argv[3:] or REGIMES:
        measure(library, regime, rounds)


main()
