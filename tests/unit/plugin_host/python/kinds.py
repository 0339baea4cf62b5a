"""Every kind of parameter and latent, drawn by the file; sums instead of noise, so it declares its determinism itself."""
import numpy as np

channel = {
    "id": "org.example.python_kinds",
    "name": "Kinds",
    "version": "2.1",
    "determinism": "per_batch",
    "parameters": {
        "real": {"default": 1, "type": "f64", "min": 0, "min_exclusive": True, "unit": "mm", "doc": "A length."},
        "unbounded": {"default": float("inf")},
        "whole": {"default": 3, "min": 1, "max": 5},
        "switch": {"default": True},
        "choice": {"default": "a", "choices": ["a", "b"]},
        "text": {"default": "x"},
        "needed": {"type": "i64"},
    },
    "latents": {
        "scalar": {"prior": "other: the id", "dtype": "int64"},
        "field": {"shape": "x", "depends_on_x": True, "visible": True},
        "pair": {"shape": [2], "dtype": "int32"},
        "survey": {"data_only": True},
    },
}


def draw_latents(key, ids, x):
    return {"scalar": ids.astype(np.int64), "field": None if x is None else 3 * x, "pair": np.stack([ids, ids + 1], axis=1).astype(int)}


def simulate(latents, **everything):
    total = latents["field"] + latents["scalar"][:, None] + latents["pair"].sum(axis=1)[:, None] + latents["survey"][:, None]
    return total * everything["parameters"]["real"]


def loglik(x, y, latents):
    return -np.sum((y - x).astype(np.float64) ** 2, axis=1), y - x
