"""Time and accuracy of the plugin's projector and filtered back-projection beside scikit-image and ASTRA, one core, interleaved.

Run: python3 compare.py BENCH_TOMOGRAPHY [ROUNDS]. BENCH_TOMOGRAPHY is the program of `ninja bench_tomography`. Needs a Python with numpy,
scikit-image and astra-toolbox, the latter with the libraries of nvidia-cuda-runtime-cu12, nvidia-cufft-cu12 and nvidia-nvjitlink-cu12 on
LD_LIBRARY_PATH (it runs on the CPU all the same).

Every round runs every program in turn; medians over all rounds of CPU time, which other programs on the machine disturb less than the clock.
Accuracy: relative L2 error of the projections against the analytic ones of
the same ellipses (averaged over the bins, or at their middles, whichever is nearer), and of the reconstruction from the program's own
projections against the pixel averages, within the inscribed circle. The phantoms are the modified Shepp-Logan head and a smooth version of
it, (1 - r^2)^2 within each ellipse.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import astra
import numpy as np
import skimage
from skimage.transform import iradon, radon

FINE = 8  # points per pixel and bin, each way
HEAD = [(0, 0, .69, .92, 0, 1), (0, -.0184, .6624, .874, 0, -.8), (.22, 0, .11, .31, -18, -.2), (-.22, 0, .16, .41, 18, -.2),
        (0, .35, .21, .25, 0, .1), (0, .1, .046, .046, 0, .1), (0, -.1, .046, .046, 0, .1), (-.08, -.605, .046, .023, 0, .1),
        (0, -.605, .023, .023, 0, .1), (.06, -.605, .023, .046, 0, .1)]


def ellipses(n):
    scale = 0.475 * n
    return [(x * scale, y * scale, a * scale, b * scale, np.deg2rad(phi), value) for x, y, a, b, phi, value in HEAD]


def image_of(n, order):
    fine = (np.arange(n * FINE) + 0.5) / FINE - n / 2
    x, y = fine[None, :], -fine[:, None]
    total = np.zeros((n * FINE, n * FINE))
    for cx, cy, a, b, phi, value in ellipses(n):
        u = ((x - cx) * np.cos(phi) + (y - cy) * np.sin(phi)) / a
        v = ((y - cy) * np.cos(phi) - (x - cx) * np.sin(phi)) / b
        inside = 1 - u * u - v * v
        total += value * np.where(inside > 0, inside**order, 0)
    return total.reshape(n, FINE, n, FINE).mean((1, 3)).astype(np.float32)


def lines_of(n, views, order, s, origin):
    """Line integrals [views, len(s)] at the places s from the rotation axis, which lies `origin` pixels right of and below the middle."""
    out = np.zeros((views, len(s)))
    for cx, cy, a, b, phi, value in ellipses(n):
        for v, theta in enumerate(np.arange(views) * np.pi / views):
            half = np.hypot(a * np.cos(theta - phi), b * np.sin(theta - phi))
            t = (s + origin * (np.cos(theta) - np.sin(theta)) - cx * np.cos(theta) - cy * np.sin(theta)) / half
            out[v] += value * (2 if order == 0 else 16 / 15) * a * b / half * np.maximum(1 - t * t, 0) ** (order + 0.5)
    return out


def references(n, views, order, origin):
    middles = np.arange(n) - (n - 1) / 2 - origin
    fine = (middles[:, None] + ((np.arange(8 * FINE) + 0.5) / (8 * FINE) - 0.5)).ravel()
    return lines_of(n, views, order, fine, origin).reshape(views, n, -1).mean(2), lines_of(n, views, order, middles, origin)


class Plugin:
    def __init__(self, program, n, views):
        self.command, self.n, self.views, self.folder = program, n, views, tempfile.TemporaryDirectory()

    def __call__(self, image):
        folder = pathlib.Path(self.folder.name)
        image.tofile(folder / "x")
        printed = subprocess.run([self.command, *map(str, (self.n, self.views, self.n, 11)), "ramp", folder / "x", folder / "y", folder / "back"],
                                 check=True, capture_output=True, text=True).stdout
        seconds = np.array([line.split() for line in printed.splitlines()], float)
        read = lambda name, rows: np.fromfile(folder / name, np.float32).reshape(rows, self.n)
        return *np.median(seconds, 0), read("y", self.views), read("back", self.n)


class Skimage:
    def __init__(self, n, views):
        self.theta = np.arange(views) * 180 / views

    def __call__(self, image):
        start = time.process_time()
        y = radon(image, self.theta, circle=True)
        middle = time.process_time()
        back = iradon(y, self.theta, filter_name="ramp", circle=True)
        return middle - start, time.process_time() - middle, y.T, back


class Astra:
    def __init__(self, kernel, n, views):
        geometry = astra.create_proj_geom("parallel", 1.0, n, np.arange(views) * np.pi / views)
        volume = astra.create_vol_geom(n, n)
        projector = astra.create_projector(kernel, geometry, volume)
        self.x, self.y, self.back = (astra.data2d.create(kind, about) for kind, about in (("-vol", volume), ("-sino", geometry), ("-vol", volume)))
        forward, fbp = astra.astra_dict("FP"), astra.astra_dict("FBP")
        forward.update(ProjectorId=projector, VolumeDataId=self.x, ProjectionDataId=self.y)
        fbp.update(ProjectorId=projector, ReconstructionDataId=self.back, ProjectionDataId=self.y, option={"FilterType": "ram-lak"})
        self.forward, self.fbp = astra.algorithm.create(forward), astra.algorithm.create(fbp)

    def __call__(self, image):
        astra.data2d.store(self.x, image)
        start = time.process_time()
        astra.algorithm.run(self.forward)
        middle = time.process_time()
        astra.algorithm.run(self.fbp)
        return middle - start, time.process_time() - middle, astra.data2d.get(self.y), astra.data2d.get(self.back)


def relative(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


def compare(program, n, views, rounds):
    tools = {"plugin": Plugin(program, n, views), "scikit-image": Skimage(n, views)}
    tools.update({f"ASTRA {kernel}": Astra(kernel, n, views) for kernel in ("line", "linear", "strip")})
    middle = np.arange(n) - (n - 1) / 2
    circle = np.hypot(middle[:, None], middle[None, :]) < n / 2 - 1
    errors = {name: [] for name in tools}
    for order in (0, 2):
        image = image_of(n, order)
        for name, tool in tools.items():
            truths = references(n, views, order, 0.5 if name == "scikit-image" else 0)  # it turns about pixel n / 2
            _, _, y, back = tool(image)
            errors[name] += [min(relative(y, truth) for truth in truths), relative(back[circle], image[circle])]
    image = image_of(n, 0)
    seconds = {name: [] for name in tools}
    for _ in range(rounds):
        for name, tool in tools.items():
            seconds[name].append(tool(image)[:2])
    print(f"\n{n} x {n}, {views} views, {n} bins: {rounds} rounds")
    print("program | forward ms | FBP ms | sum ms | sum / plugin | sharp: forward, FBP error | smooth: forward, FBP error")
    totals = {name: statistics.median(f + b for f, b in times) for name, times in seconds.items()}
    for name, times in seconds.items():
        forward, back = (1e3 * statistics.median(column) for column in zip(*times))
        print(f"{name} | {forward:.2f} | {back:.2f} | {1e3 * totals[name]:.2f} | {totals[name] / totals['plugin']:.1f} | "
              + " | ".join(f"{error:.2e}" for error in errors[name]), flush=True)


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    print(f"scikit-image {skimage.__version__}, ASTRA {astra.__version__}, NumPy {np.__version__}")
    compare(sys.argv[1], 256, 180, rounds)
    compare(sys.argv[1], 128, 90, rounds)


if __name__ == "__main__":
    main()
