#!/usr/bin/env python3
"""Thickness of restored moons and the figure beside it.

usage: two_moons.py FIGURE.png TITLE=FILE.h5…

For each file (/signals or /observations, points x = 4 (p - 1/2)) prints the spread (half the distance of the 16 % and 84 % points) of the distance from the nearer arm, in data
units, for points whose foot lies in the inner 80 % of the arm, with its bootstrap standard error. Needs numpy, h5py and gnuplot.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

SHOWN = 8000
ARMS = (((0.0, 0.0), 1.0), ((1.0, 0.5), -1.0))  # centre, side on which the half circle lies


def read_points(path):
    with h5py.File(path) as file:
        return np.asarray(file["signals" if "signals" in file else "observations"], dtype=float).reshape(-1, 2)


def deviations(points):
    """Signed distance from the nearer arm in data units, where the foot of the perpendicular lies well inside that arm."""
    p = points / 4 + 0.5
    radial, distance, inside = [], [], []
    for (cx, cy), side in ARMS:
        dx, dy = p[:, 0] - cx, side * (p[:, 1] - cy)
        angle = np.arctan2(dy, dx)
        radial.append(np.hypot(dx, dy) - 1)
        end = np.hypot(np.abs(dx) - 1, dy)  # beyond the half circle the nearest point is an end
        distance.append(np.where(dy > 0, np.abs(radial[-1]), end))
        inside.append((angle > 0.1 * np.pi) & (angle < 0.9 * np.pi))
    arm, rows = np.argmin(distance, axis=0), np.arange(len(p))
    well_inside = np.array(inside)[arm, rows]
    return 4 * np.array(radial)[arm, rows][well_inside]


def thickness(points, rng):
    d = deviations(points)
    # Half the distance between the 16 % and 84 % points: points between the arms, which belong to neither, do not count as thickness.
    def width(sample):
        low, high = np.percentile(sample, [15.865, 84.135])
        return (high - low) / 2
    draws = [width(rng.choice(d, d.size)) for _ in range(200)]
    return width(d), np.std(draws)


def plot(figure, panels):
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"set terminal pngcairo size {330 * len(panels)},360 font 'Helvetica,12' background 'white'", f"set output '{figure.name}.part'",
                 f"set multiplot layout 1,{len(panels)}", "set xrange [-8:8]", "set yrange [-6.5:6.5]", "set size ratio -1", "unset key",
                 "set tics 4 out nomirror", "set border 3"]
        for i, (title, points, width) in enumerate(panels):
            name = f"points{i}.txt"
            np.savetxt(Path(folder) / name, points[:SHOWN], fmt="%.3f")
            lines += [f"set title \"{title}\\n{width}\"", f"plot '{name}' with dots lc rgb '#1f5fa8'"]
        lines.append("unset multiplot")
        (Path(folder) / "figure.gp").write_text("\n".join(lines) + "\n")
        subprocess.run(["gnuplot", "figure.gp"], cwd=folder, check=True)
        figure.write_bytes((Path(folder) / f"{figure.name}.part").read_bytes())


def main(arguments):
    if len(arguments) < 2 or any("=" not in a for a in arguments[1:]):
        sys.exit(__doc__)
    rng = np.random.default_rng(1)
    panels = []
    for argument in arguments[1:]:
        title, path = argument.rsplit("=", 1)
        points = read_points(path)
        value, error = thickness(points, rng)
        print(f"{title}: thickness {value:.3f} ± {error:.3f}")
        panels.append((title, points, f"thickness {value:.2f}"))
    plot(Path(arguments[0]), panels)


if __name__ == "__main__":
    main(sys.argv[1:])
