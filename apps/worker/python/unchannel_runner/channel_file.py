"""Loads a channel's file, calls its functions, checks what they return.

Shape legend: B batch; x [B, *x_shape], y [B, *y_shape]
"""
import hashlib
import inspect
import json
import math
import os
import sys
import types

import numpy as np

from . import priors, table
from .problems import Refused, describe

# What each function of a file may ask for, by name.
_ARGUMENTS = {
    "configure": ("x_shape", "parameters"),
    "draw_latents": ("key", "ids", "x", "parameters"),
    "simulate": ("x", "latents", "parameters", "key", "ids"),
    "mean": ("x", "latents", "parameters"),
    "lift": ("y", "latents", "parameters"),
    "vjp": ("x", "latents", "cotangent", "parameters"),
    "loglik": ("x", "y", "latents", "parameters"),
}
_MODULE = "unchannel_channel_file"


def read(path, sha256=""):
    """The bytes of the file. Throws Refused when they are not those that were probed."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}.") from None
    if sha256 and hashlib.sha256(source).hexdigest() != sha256:
        raise Refused("has changed since it was probed.")
    return source


def _wanted(name, function):
    """Which of the arguments the function asks for."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise Refused(f"{name} is no function that can be asked for its arguments.") from None
    wanted = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            return _ARGUMENTS[name]
        by_name = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if by_name and parameter.name in _ARGUMENTS[name]:
            wanted.append(parameter.name)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
            raise Refused(f"{name} asks for '{parameter.name}'; it can have {', '.join(_ARGUMENTS[name])}.")
    return tuple(wanted)


def _store(function, name, value, out):
    """Copies what a function returned to where the host wants it."""
    if type(value) is np.ndarray and value.dtype == out.dtype and value.shape == out.shape:
        out[...] = value
        return
    hint = " (a missing return?)" if value is None else ""
    try:
        value = np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise Refused(f"{function} must return an array for {name}: {error}") from None
    kinds = "biu" if out.dtype.kind in "iu" else "fbiu"
    if value.dtype.kind not in kinds:
        what = "integers" if out.dtype.kind in "iu" else "real numbers"
        found = "None" if hint else f"dtype {value.dtype}"
        raise Refused(f"{function} must return {what} for {name}; it returns {found}{hint}.")
    if value.shape != out.shape:
        raise Refused(f"{function} must return an array of shape {list(out.shape)} for {name}, the batch in front; "
                      f"it returns {list(value.shape)}.")
    with np.errstate(all="ignore"):  # what does not fit into float32 becomes infinite, which the host reports by sample
        np.copyto(out, value, casting="unsafe")


class ChannelFile:
    """One file, loaded, and its configuration in force."""

    def __init__(self, path, source):
        self.path = os.path.abspath(path)
        self._module = module = types.ModuleType(_MODULE)
        module.__file__ = self.path
        sys.modules[_MODULE] = module  # dataclasses and pickle look there
        sys.path.append(os.path.dirname(self.path))
        try:
            exec(compile(source, self.path, "exec"), module.__dict__)
            uses_sdk_generator = "unchannel_random" in sys.modules
            self._functions = {name: getattr(module, name) for name in _ARGUMENTS if callable(getattr(module, name, None))}
            self._wanted = {name: _wanted(name, function) for name, function in self._functions.items()}
            self.description = table.describe(getattr(module, "channel", None), self._functions, uses_sdk_generator, module.__doc__)
        except (Refused, MemoryError):
            raise
        except BaseException as error:
            raise Refused(f"cannot be loaded: {describe(error, self.path)}") from None
        self._shapes = {key: entry.get("shape", ()) for key, entry in module.channel.get("latents", {}).items()}
        self._visible = {latent["id"] for latent in self.description["latents"] if "visible" in latent["flags"]}
        self._parameters = {}

    def helpers(self):
        """Files beside this one that it imports: they belong to what was probed."""
        folder = os.path.join(os.path.dirname(self.path), "")
        runner = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        paths = {os.path.abspath(file) for file in files if file}
        return sorted(file for file in paths if file.startswith(folder) and not file.startswith(runner) and file != self.path)

    def configure(self, x_shape, given):
        """Returns (y_shape, shapes of the latents, canonical text). Throws Refused and changes nothing then."""
        parameters = {}
        for described in self.description["parameters"]:
            value = given[described["id"]]
            parameters[described["id"]] = float(value) if described["type"] == "f64" else value
        y_shape = tuple(x_shape)
        if "configure" in self._functions:
            y_shape = self._call("configure", {"x_shape": tuple(x_shape), "parameters": dict(parameters)})
            try:
                y_shape = tuple(int(extent) for extent in y_shape)
            except (TypeError, ValueError):
                y_shape = ()
            if not y_shape or min(y_shape) < 1:
                raise Refused("configure must return the shape of an observation, a tuple of positive integers.")
        alike = {"x": tuple(x_shape), "y": y_shape}
        shapes = [list(alike.get(shape, shape) if isinstance(shape, str) else shape) for shape in self._shapes.values()]
        self._parameters = parameters
        return list(y_shape), shapes, "".join(f"{key} = {_toml(value)}\n" for key, value in parameters.items())

    def call(self, kind, key, inputs, outputs):
        """inputs, outputs: arrays by the names of the protocol, the batch in front. Throws Refused, or MemoryError."""
        if kind not in self._functions and kind != "draw_latents":
            raise Refused(f"the file has no {kind}.")
        latents = {name[8:]: values for name, values in inputs.items() if name[:8] == "latents/"}
        if kind == "lift":
            latents = {name: values for name, values in latents.items() if name in self._visible}
        if kind == "draw_latents" and kind not in self._functions:
            return self._draw(key, inputs["ids"], outputs)
        available = {"x": None, **inputs, "key": key, "latents": latents, "parameters": self._parameters}
        result = self._call(kind, available)
        for name, value in self._named(kind, result, outputs).items():
            _store(kind, name, value, outputs[name])

    def _call(self, kind, available):
        try:
            return self._functions[kind](**{name: available[name] for name in self._wanted[kind]})
        except MemoryError:
            raise
        except BaseException as error:  # SystemExit among them
            raise Refused(describe(error, self.path)) from None

    def _draw(self, key, ids, outputs):
        import unchannel_random as random

        for index, latent in enumerate(self.description["latents"]):
            out = outputs.get("latents/" + latent["id"])
            if out is None:
                continue
            own_key = random.derive(key, random.tag(random.TAG_LATENT, index))
            out[...] = priors.draw(latent["prior"], self._parameters, own_key, ids, out.shape[1:],
                                  integer=latent["dtype"] != "float32")

    @staticmethod
    def _named(kind, result, outputs):
        """What a function returned, by the names of the outputs that are wanted."""
        if kind == "draw_latents":
            found = {f"latents/{name}": value for name, value in result.items()} if isinstance(result, dict) else {}
            missing = [name for name in outputs if name not in found]
            if missing:
                raise Refused(f"draw_latents must return a dictionary with every latent; {missing[0][len('latents/'):]} is missing.")
            return {name: found[name] for name in outputs}
        if kind != "loglik":
            return {next(iter(outputs)): result}
        pair = result if isinstance(result, tuple) else (result,)
        if len(pair) < len(outputs):
            raise Refused("loglik must return (loglik, gradient with respect to x).")
        return {name: pair[0 if name == "loglik" else 1] for name in outputs}


def _toml(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else "-inf"
    return json.dumps(value, ensure_ascii=False)
