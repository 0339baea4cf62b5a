"""Writes spectrograph.txt beside itself: an independent calculation in float64 with NumPy and SciPy.

Run: python3 make_golden.py. Needs numpy and scipy. Each block is one line of settings (name, FWHM, its relative spread, sigma of the multiplicative and of the
additive offset, lowest and highest SNR, key, first id), then every 31st pixel of three spectra.
"""

import pathlib
import sys

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import ndtr

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "plugin-api" / "python"))
import unchannel_random as random  # noqa: E402

D = 1024
STEP = np.log(5320 / 4000) / (D - 1)
RESOLUTION, SNR, MULTIPLICATIVE, ADDITIVE = range(4)  # the order in which the plugin declares its latents

CASES = [
    ("no_smoothing", 0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 11, 0),
    ("high_resolution_low_snr", 1 / 5000, 0.05, 0.0, 0.0, 0.5, 2.0, 12, 7),
    ("low_resolution_high_snr", 1 / 50, 0.05, 0.0, 0.0, 30.0, 50.0, 13, 2**40),
    ("offsets", 1 / 500, 0.05, 0.1, 0.05, 5.0, 5.0, 14, 3),
    ("between", 1 / 150, 0.5, 0.05, 0.0, 30.0, 50.0, 15, 4),
]


def spectra():
    u = np.arange(D) / D
    i = np.arange(3)[:, None]
    return (1 + 0.3 * np.cos(7 * u + i) + 2 * np.exp(-0.5 * ((u - 0.3 - 0.01 * i) / 0.004) ** 2)).astype(np.float32).astype(np.float64)


def smooth(row, fwhm):
    if fwhm == 0:
        return row
    sigma = fwhm / (2 * np.sqrt(2 * np.log(2))) / STEP
    k = np.arange(-int(np.ceil(8 * sigma + 1)), int(np.ceil(8 * sigma + 1)) + 1)
    weights = ndtr(-(np.abs(k) - 0.5) / sigma) - ndtr(-(np.abs(k) + 0.5) / sigma)
    return correlate1d(row, weights, mode="reflect")


def simulate(fwhm, spread, multiplicative, additive, snr_min, snr_max, key, id0):
    ids = id0 + np.arange(3)
    latent_key, noise_key = random.derive(key, 1), random.derive(key, 2)

    def latent(index, draw):
        return draw(random.derive(latent_key, random.tag(random.TAG_LATENT, index)), ids, (1,))[:, 0].astype(np.float64)

    fwhms = (fwhm * (1 + spread * (2 * latent(RESOLUTION, random.uniform) - 1))).astype(np.float32).astype(np.float64)
    snr = (snr_min + (snr_max - snr_min) * latent(SNR, random.uniform)).astype(np.float32).astype(np.float64)
    factor = np.exp(multiplicative * latent(MULTIPLICATIVE, random.normal))
    shift = additive * latent(ADDITIVE, random.normal)
    noise = random.normal(random.derive(noise_key, random.tag(random.TAG_NOISE, 0)), ids, (D,)).astype(np.float64)
    mean = np.stack([factor[i] * smooth(row, fwhms[i]) + shift[i] for i, row in enumerate(spectra())])
    return mean + np.abs(mean).mean(axis=1, keepdims=True) / snr[:, None] * noise


def main():
    with open(pathlib.Path(__file__).with_name("spectrograph.txt"), "w", encoding="ascii") as file:
        for name, *settings in CASES:
            print(name, *settings, file=file)
            for row in simulate(*settings):
                print(*(f"{value:.9g}" for value in row[::31]), file=file)


if __name__ == "__main__":
    main()
