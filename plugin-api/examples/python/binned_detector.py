"""A detector with coarse pixels: y = gain * bin(x) + sigma * n, where bin averages neighbouring values."""
import numpy as np
import unchannel_random as random

channel = {
    "id": "org.example.binned_detector",
    "name": "Binned detector",
    "version": "1.0.0",
    "licence": "Apache-2.0",
    "parameters": {
        "bins": {"default": 2, "min": 1, "max": 64, "unit": "1", "changes_shapes": True, "doc": "Neighbouring values in one pixel."},
        "gain_min": {"default": 0.8, "min": 0, "unit": "1", "doc": "The gain of a sample is uniform between this"},
        "gain_max": {"default": 1.2, "min": 0, "unit": "1", "doc": "and this."},
        "noise_sigma": {"default": 0.1, "min": 0, "unit": "data", "doc": "Standard deviation of the noise of a pixel."},
    },
    "latents": {
        "gain": {"prior": "uniform(gain_min, gain_max)", "unit": "1", "visible": True, "doc": "Known from a calibration lamp."},
    },
}


def configure(x_shape, parameters):
    bins = parameters["bins"]
    if len(x_shape) != 1 or x_shape[0] % bins:
        raise ValueError(f"signals of shape {list(x_shape)} cannot be averaged over {bins} neighbours; use one axis and a divisor of it.")
    if parameters["gain_max"] < parameters["gain_min"]:
        raise ValueError("gain_max must not be below gain_min.")
    return (x_shape[0] // bins,)


def mean(x, latents, parameters):
    pixels = x.reshape(len(x), -1, parameters["bins"]).mean(axis=2)
    return latents["gain"][:, None] * pixels


def simulate(x, latents, parameters, key, ids):
    y = mean(x, latents, parameters)
    return y + np.float32(parameters["noise_sigma"]) * random.normal(key, ids, y.shape[1:])


def lift(y, latents, parameters):
    return np.repeat(y / latents["gain"][:, None], parameters["bins"], axis=1)


def vjp(x, latents, cotangent, parameters):
    gain_of_a_value = latents["gain"][:, None] / np.float32(parameters["bins"])
    return np.repeat(gain_of_a_value * cotangent, parameters["bins"], axis=1)
