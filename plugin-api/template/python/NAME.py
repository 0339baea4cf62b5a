"""y = g x + sigma n, with a gain g for each sample that the model may see."""
import numpy as np
import unchannel_random as random

channel = {
    "id": "org.example.@NAME@",
    "name": "@NAME@",
    "version": "0.1.0",
    "parameters": {
        "gain_min": {"default": 0.8, "min": 0, "unit": "1", "doc": "The gain of a sample is uniform between this"},
        "gain_max": {"default": 1.2, "min": 0, "unit": "1", "doc": "and this."},
        "noise_sigma": {"default": 0.1, "min": 0, "unit": "data", "doc": "Standard deviation of the noise."},
    },
    "latents": {
        "gain": {"prior": "uniform(gain_min, gain_max)", "unit": "1", "visible": True, "doc": "The factor of a sample."},
    },
}


def configure(x_shape, parameters):
    if parameters["gain_max"] < parameters["gain_min"]:
        raise ValueError("gain_max must not be below gain_min.")
    return x_shape  # observations look like signals


def mean(x, latents):
    gain = latents["gain"].reshape(-1, *[1] * (x.ndim - 1))  # one factor for all axes behind the batch
    return gain * x


def simulate(x, latents, parameters, key, ids):
    # Every random number is a function of key and ids: nothing may come from numpy.random.
    return mean(x, latents) + np.float32(parameters["noise_sigma"]) * random.normal(key, ids, x.shape[1:])


def vjp(cotangent, latents):
    return mean(cotangent, latents)
