"""Golden numbers of the metrics, from NumPy/SciPy alone: prints golden.hpp. Run: python3 make_golden.py > golden.hpp

The inputs are closed formulas that the C++ test evaluates too, so that no array has to be stored.
"""
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist, pdist

N, M, D = 60, 90, 7


def sample(rows, phase):
    i, j = np.arange(rows)[:, None], np.arange(D)[None, :]
    return np.sin(0.7 * i + 1.3 * j + phase) + 0.3 * np.cos(2.1 * i * (j + 1)) + 0.05 * j


def image(phase):
    """Two images of 3 planes, 14 x 12."""
    n, p, i, j = np.ogrid[:2, :3, :14, :12]
    return np.sin(0.9 * i + 0.4 * p + phase) * np.cos(0.7 * j - 0.3 * n) + 0.1 * i * (n + 1)


def ssim(a, b, data_range):
    """Gaussian window of radius 5, places where it fits."""
    mean = lambda x: gaussian_filter(x, 1.5, truncate=3.34, mode="constant")[5:-5, 5:-5]
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    return np.mean((2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2)))


def quantile_w2_squared(a, b):
    """W2² of two empirical laws: equal weights repeated to a common size (exact)."""
    size = np.lcm(a.size, b.size)
    return np.mean((np.repeat(np.sort(a), size // a.size) - np.repeat(np.sort(b), size // b.size)) ** 2)


def main():
    a, b, c = sample(N, 0.0), sample(M, 0.4) * 1.1, sample(N, 0.4) * 1.1
    off = lambda k: (k.sum() - np.trace(k)) / (k.shape[0] * (k.shape[0] - 1))
    values = {
        "kRmse": np.sqrt(np.mean((a - c) ** 2)),
        "kMae": np.abs(a - c).mean(),
        "kSpreadError": np.sqrt(np.mean((a.std(0) / c.std(0) - 1) ** 2)),
        "kAxisW2": np.sqrt(np.mean([quantile_w2_squared(a[:, j], b[:, j]) for j in range(D)])),
        "kEnergy": 2 * cdist(a, b).mean() - off(cdist(a, a)) - off(cdist(b, b)),
        "kEnergyPaired": 2 * off(cdist(a, c)) - off(cdist(a, a)) - off(cdist(c, c)),
    }
    h2 = np.sort(pdist(b, "sqeuclidean"))[(M * (M - 1) // 2 - 1) // 2]  # lower median
    k = lambda p, q: np.exp(-cdist(p, q, "sqeuclidean") / (2 * h2))
    values["kBandwidth"] = np.sqrt(h2)
    values["kMmdSquared"] = off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()
    for n in range(2):
        values[f"kSsim{n}"] = np.mean([ssim(image(0.0)[n, p], image(0.5)[n, p], 2.5) for p in range(3)])
    print("#pragma once\n\n// Written by make_golden.py (NumPy, SciPy). Do not edit.\nnamespace golden {")
    for name, value in values.items():
        print(f"inline constexpr double {name} = {value:.15g};")
    print("}  // namespace golden")


if __name__ == "__main__":
    main()
