"""Writes built_in_channels.json beside itself: an independent calculation in float64 with NumPy and SciPy of what the built-in channels give.

Run: python3 make_golden.py. Needs numpy and scipy. Random numbers come from the Python twin of random.h; blurs, resizing and Poisson quantiles are SciPy's.
"""

import json
import pathlib
import sys

import numpy as np
from scipy import ndimage, stats

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "plugin-api" / "python"))
import unchannel_random as random  # noqa: E402

SHAPE = (3, 6, 8)
B = 2
KEPT = 5  # every fifth number is written
PURPOSE_LATENTS, PURPOSE_SIMULATE = 1, 2
TAG_PURPOSE, TAG_COMPOSE_STAGE, TAG_LATENT, TAG_NOISE = 1, 4, 5, 6


def derived(key, purpose, domain):
    return random.derive(random.derive(key, random.tag(TAG_PURPOSE, purpose)), random.tag(domain, 0))


def latent_key(key):
    return derived(key, PURPOSE_LATENTS, TAG_LATENT)


def normals(key, ids, shape):
    return random.normal(derived(key, PURPOSE_SIMULATE, TAG_NOISE), ids, shape).astype(np.float64)


def awgn(x, ids, key, sigma):
    return {}, x + sigma * normals(key, ids, x.shape[1:])


def masked(x, ids, key, kept, sigma):
    n = normals(key, ids, x.shape[1:])
    return np.where(kept, x + sigma * n, n)


def random_mask(x, ids, key, hidden_share, noise_sigma):
    u = random.uniform(latent_key(key), ids, x.shape[2:])[:, None]
    return {"mask": (u > np.float32(hidden_share)).astype(np.float64)}, masked(x, ids, key, u > np.float32(hidden_share), noise_sigma)


def block_mask(x, ids, key, height, width, noise_sigma):
    rows, columns = x.shape[2:]
    words = random.words(latent_key(key), ids, 2)
    top, left = random.below(words[:, 0], rows - height + 1), random.below(words[:, 1], columns - width + 1)
    kept = np.ones((len(ids), 1, rows, columns), bool)
    for b in range(len(ids)):
        kept[b, :, int(top[b]) : int(top[b]) + height, int(left[b]) : int(left[b]) + width] = False
    return {"position": np.stack([top, left], 1).astype(np.float64)}, masked(x, ids, key, kept, noise_sigma)


MODES = {"mirror": "mirror", "reflect": "reflect", "periodic": "wrap", "zero": "constant"}


def gaussian_blur(x, ids, key, blur_sigma, truncate_sigmas, boundary, noise_sigma):
    radius = int(np.ceil(truncate_sigmas * blur_sigma))
    axes = tuple(range(2 if x.ndim == 4 else 1, x.ndim))
    y = ndimage.gaussian_filter(x, blur_sigma, mode=MODES[boundary], radius=radius, axes=axes)
    return {}, y + noise_sigma * normals(key, ids, x.shape[1:])


def motion_blur(x, ids, key, length, boundary, noise_sigma):
    direction = random.uniform(latent_key(key), ids, (1,))[:, 0].astype(np.float64) * np.pi
    direction = direction.astype(np.float32).astype(np.float64)
    y = np.empty_like(x)
    for b, angle in enumerate(direction):
        # The kernel as an image: every point of the line is a shifted pixel, interpolated by SciPy.
        kernel = np.zeros((length, length))
        pixel = np.zeros((length + 2, length + 2))
        pixel[length // 2 + 1, length // 2 + 1] = 1
        for along in np.arange(length) - length // 2:
            shifted = ndimage.shift(pixel, (-along * np.sin(angle), along * np.cos(angle)), order=1)
            kernel += shifted[1:-1, 1:-1] / length
        for plane in range(x.shape[1]):
            y[b, plane] = ndimage.correlate(x[b, plane], kernel, mode=MODES[boundary])
    return {"direction": direction}, y + noise_sigma * normals(key, ids, x.shape[1:])


def poisson_numbers(key, ids, mean):
    """Quantiles of 53-bit uniforms: valid for means below 10, where the sampler inverts the distribution function."""
    flat = mean.reshape(len(ids), -1)
    words = random.words(derived(key, PURPOSE_SIMULATE, TAG_NOISE), ids, 4 * flat.shape[1]).astype(np.uint64)
    bits = (words[:, 0::4] << np.uint64(21)) | (words[:, 1::4] >> np.uint64(11))
    return stats.poisson.ppf((bits.astype(np.float64) + 0.5) / 2.0**53, flat).reshape(mean.shape)


def poisson(x, ids, key, **parameters):
    scale = parameters["lambda"]
    u = np.maximum((x + 1) / 2, 0)
    return {}, 2 * scale * poisson_numbers(key, ids, u / scale) - 1


def poisson_additive(x, ids, key, rate):
    return {}, x + poisson_numbers(key, ids, np.full(x.shape, rate))


def downsample(x, ids, key, factor, lift, noise_sigma):
    y = x.reshape(len(ids), x.shape[1], x.shape[2] // factor, factor, x.shape[3] // factor, factor).mean((3, 5))
    return {}, y + noise_sigma * normals(key, ids, y.shape[1:])


def lifted(y, factor, lift):
    """Pixel centres keep their places: SciPy's grid mode."""
    if lift == "nearest":
        return y.repeat(factor, 2).repeat(factor, 3)
    return ndimage.zoom(y, (1, 1, factor, factor), order=1, mode="nearest", grid_mode=True)


def quantise(x, ids, key, levels, dither_steps):
    step = 2 / (levels - 1)
    u = random.uniform(derived(key, PURPOSE_SIMULATE, TAG_NOISE), ids, x.shape[1:]).astype(np.float64)
    nearest = np.rint((np.clip(x + (u - 0.5) * dither_steps * step, -1, 1) + 1) / step)
    return {}, nearest * step - 1


def noise(x, ids, key):
    return {}, normals(key, ids, x.shape[1:])


def compose(x, ids, key, stages):
    latents = {}
    for i, (stage, parameters) in enumerate(stages):
        own, x = stage(x, ids, random.derive(key, random.tag(TAG_COMPOSE_STAGE, i)), **parameters)
        latents.update({f"stage{i}_{name}": values for name, values in own.items()})
    return latents, x


CASES = [
    (awgn, {"sigma": 0.5}, SHAPE),
    (awgn, {"sigma": 0.25}, (11,)),
    (random_mask, {"hidden_share": 0.25, "noise_sigma": 0.1}, SHAPE),
    (random_mask, {"hidden_share": 0.75, "noise_sigma": 1e-6}, SHAPE),
    (block_mask, {"height": 3, "width": 5, "noise_sigma": 0.1}, SHAPE),
    (gaussian_blur, {"blur_sigma": 1.0, "truncate_sigmas": 3.0, "boundary": "mirror", "noise_sigma": 0.1}, SHAPE),
    (gaussian_blur, {"blur_sigma": 0.8, "truncate_sigmas": 4.0, "boundary": "reflect", "noise_sigma": 0.0}, SHAPE),
    (gaussian_blur, {"blur_sigma": 1.5, "truncate_sigmas": 3.0, "boundary": "periodic", "noise_sigma": 0.0}, SHAPE),
    (gaussian_blur, {"blur_sigma": 1.0, "truncate_sigmas": 3.0, "boundary": "zero", "noise_sigma": 0.0}, SHAPE),
    (gaussian_blur, {"blur_sigma": 1.2, "truncate_sigmas": 3.0, "boundary": "mirror", "noise_sigma": 0.05}, (11,)),
    (motion_blur, {"length": 5, "boundary": "zero", "noise_sigma": 0.1}, SHAPE),
    (motion_blur, {"length": 7, "boundary": "reflect", "noise_sigma": 0.0}, SHAPE),
    (motion_blur, {"length": 9, "boundary": "mirror", "noise_sigma": 1e-6}, SHAPE),
    (poisson, {"lambda": 0.25}, SHAPE),
    (poisson_additive, {"rate": 0.5}, SHAPE),
    (downsample, {"factor": 2, "lift": "bilinear", "noise_sigma": 0.1}, SHAPE),
    (downsample, {"factor": 2, "lift": "nearest", "noise_sigma": 0.0}, SHAPE),
    (quantise, {"levels": 16, "dither_steps": 0.0}, SHAPE),
    (quantise, {"levels": 5, "dither_steps": 1.0}, SHAPE),
    (noise, {}, SHAPE),
]

BLUR = {"blur_sigma": 1.0, "truncate_sigmas": 3.0, "boundary": "mirror", "noise_sigma": 0.0}
COMPOSED = [
    [(gaussian_blur, BLUR), (poisson, {"lambda": 0.5})],
    [(random_mask, {"hidden_share": 0.5, "noise_sigma": 0.1}), (awgn, {"sigma": 0.5}), (awgn, {"sigma": 0.5})],
]


def signals(shape):
    """The same in built_in_golden_test.cpp."""
    i = np.arange(B * int(np.prod(shape))).reshape(B, *shape)
    return np.sin(0.37 * (i + 1) + 0.01 * i**1.5).astype(np.float32).astype(np.float64)


def record(channel, x, ids, key, latents, y, **more):
    some = lambda a: [float(f"{v:.8g}") for v in np.ravel(a)[::KEPT]]  # noqa: E731
    return {**channel, "shape": list(x.shape[1:]), "key": key, "first_id": int(ids[0]), "y": some(y),
            "latents": {name: some(values) for name, values in latents.items()}, **{k: some(v) for k, v in more.items()}}


def main():
    cases = []
    for number, (channel, parameters, shape) in enumerate(CASES):
        x, ids, key = signals(shape), 2**40 * (number % 2) + number + np.arange(B), 100 + number
        latents, y = channel(x, ids, key, **parameters)
        more = {"lifted": lifted(y, parameters["factor"], parameters["lift"])} if channel is downsample else {}
        cases.append(record({"id": channel.__name__, "parameters": parameters}, x, ids, key, latents, y, **more))
    for number, stages in enumerate(COMPOSED):
        x, ids, key = signals(SHAPE), 50 + np.arange(B), 200 + number
        latents, y = compose(x, ids, key, stages)
        named = [{"id": stage.__name__, "parameters": parameters} for stage, parameters in stages]
        cases.append(record({"id": "compose", "stages": named}, x, ids, key, latents, y))
    text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
    (pathlib.Path(__file__).parent / "built_in_channels.json").write_text(text)


if __name__ == "__main__":
    main()
