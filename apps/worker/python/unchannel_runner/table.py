"""The table `channel = {...}` of a file, as the description that the program understands ("describe" of the protocol)."""
import math
import re

from . import priors
from .problems import Refused

_GUIDE = "docs/plugin-authors/python.md shows one"
_CHANNEL_KEYS = ("id", "name", "version", "vendor", "url", "licence", "description", "determinism", "parameters", "latents")
_PARAMETER_KEYS = ("type", "default", "unit", "min", "max", "choices", "doc", "min_exclusive", "max_exclusive", "changes_shapes",
                   "affects_caches", "may_be_unknown")
_PARAMETER_FLAGS = ("changes_shapes", "affects_caches", "may_be_unknown", "min_exclusive", "max_exclusive")
_LATENT_KEYS = ("dtype", "shape", "unit", "prior", "visible", "depends_on_x", "data_only", "doc")
_LATENT_FLAGS = ("visible", "depends_on_x", "data_only")
_TYPES = {"f64": (int, float), "i64": (int,), "bool": (bool,), "enum": (str,), "string": (str,), "path": (str,)}
_DTYPES = ("float32", "int32", "int64")
_DETERMINISMS = ("none", "per_batch", "per_sample")
_INT64 = 2 ** 63
_CAPABILITIES = ("lift", "mean", "vjp", "loglik")


def _check(condition, text):
    if not condition:
        raise Refused(text)


def _check_keys(place, table, known):
    for key in table:
        _check(key in known, f"{place} has no entry '{key}'. It can have: {', '.join(known)}.")


def _text(place, table, key, default=""):
    value = table.get(key, default)
    _check(isinstance(value, str), f"{place}['{key}'] must be a string; it is {value!r}.")
    return value


def _flags(place, table, names):
    for name in names:
        _check(isinstance(table.get(name, False), bool), f"{place}['{name}'] must be True or False; it is {table.get(name)!r}.")
    return [name for name in names if table.get(name, False)]


def _is(value, kind):
    return isinstance(value, _TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def _type_of(place, table):
    if "type" in table:
        _check(table["type"] in _TYPES, f"{place}['type'] must be one of {', '.join(_TYPES)}; it is {table['type']!r}.")
        return table["type"]
    _check("default" in table, f"{place} has neither 'type' nor 'default'. Give one of them.")
    found = {float: "f64", int: "i64", bool: "bool", str: "enum" if "choices" in table else "string"}.get(type(table["default"]))
    _check(found, f"{place}['default'] is {table['default']!r}, which is no number, True, False or string.")
    return found


def _json_number(value):
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _parameter(key, table):
    place = f"channel['parameters']['{key}']"
    _check(isinstance(table, dict), f"{place} must be a table such as {{'default': 1.0, 'unit': '1', 'doc': '...'}}; it is {table!r}.")
    _check_keys(place, table, _PARAMETER_KEYS)
    kind = _type_of(place, table)
    for bound in ("default", "min", "max"):
        wrong = bound in table and not (_is(table[bound], kind) and table[bound] == table[bound])
        _check(not wrong, f"{place}['{bound}'] must be of type {kind}; it is {table.get(bound)!r}.")
    _check(kind in ("f64", "i64") or not {"min", "max"} & set(table), f"{place}: a parameter of type {kind} has no 'min' and 'max'.")
    described = {"id": key, "type": kind, "unit": _text(place, table, "unit"), "doc": _text(place, table, "doc"), "default": None,
                 "flags": _flags(place, table, _PARAMETER_FLAGS) + ([] if "default" in table else ["required"])}
    if "default" in table:
        described["default"] = _json_number(float(table["default"])) if kind == "f64" else table["default"]
    if kind == "f64":
        described.update({bound: float(table[bound]) for bound in ("min", "max") if math.isfinite(table.get(bound, math.inf))})
    if kind == "i64":
        described.update({"min": table.get("min", -_INT64), "max": table.get("max", _INT64 - 1)})
        inside = all(-_INT64 <= number < _INT64 for number in (described["min"], described["max"], described["default"] or 0))
        _check(inside, f"{place}: an i64 has 64 bits.")
    if kind == "enum":
        choices = table.get("choices")
        good = isinstance(choices, (list, tuple)) and choices and all(isinstance(choice, str) for choice in choices)
        _check(good, f"{place}['choices'] must list the strings to choose from; it is {choices!r}.")
        described["choices"] = list(choices)
    else:
        _check("choices" not in table, f"{place}: only strings have 'choices'.")
    return described


def _latent(key, table, drawn_by_file):
    place = f"channel['latents']['{key}']"
    _check(isinstance(table, dict), f"{place} must be a table such as {{'prior': 'uniform(0, 1)', 'unit': '1'}}; it is {table!r}.")
    _check_keys(place, table, _LATENT_KEYS)
    dtype = table.get("dtype", "float32")
    _check(dtype in _DTYPES, f"{place}['dtype'] must be one of {', '.join(_DTYPES)}; it is {dtype!r}.")
    shape = table.get("shape", ())
    extents = isinstance(shape, (list, tuple)) and all(_is(extent, "i64") and extent > 0 for extent in shape)
    _check(extents or shape in ("x", "y"),
           f"{place}['shape'] must be a list of positive integers, or 'x' or 'y' for that of a signal or observation; it is {shape!r}.")
    flags = _flags(place, table, _LATENT_FLAGS)
    prior = _text(place, table, "prior", "none" if "data_only" in flags else "")
    law = priors.parse(prior)
    real = law is not None and law[0] in ("normal", "lognormal")
    _check(drawn_by_file or not real or dtype == "float32", f"{place}: '{prior}' gives real numbers, and dtype is {dtype!r}; use 'float32'.")
    drawable = law is not None and "depends_on_x" not in flags
    _check(drawn_by_file or drawable or "data_only" in flags,
           f"{place} is drawn by nobody: give it a 'prior' (uniform(a, b), normal(mean, sd), lognormal(mean, sd), bernoulli(p)) that does "
           f"not depend on the signal, or define draw_latents; its prior is '{prior}'.")
    return {"id": key, "dtype": dtype, "unit": _text(place, table, "unit"), "doc": _text(place, table, "doc"),
            "prior": prior or "other: drawn by the file", "count_of": "", "flags": flags}


def _tables(table, key):
    found = table.get(key, {})
    _check(isinstance(found, dict), f"channel['{key}'] must be a table with one entry for each id; it is {found!r}.")
    for name in found:
        _check(isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]+", name), f"channel['{key}']: {name!r} cannot be an id.")
    return found.items()


def describe(table, functions, uses_sdk_generator, docstring):
    """table: the file's `channel`, or None · functions: names of those that the file defines · returns what JSON calls a channel."""
    _check(table is not None, f"has no table `channel = {{'id': ..., 'parameters': {{...}}}}` ({_GUIDE}). "
           "If it is no channel but a helper, let its name begin with '_'.")
    _check(isinstance(table, dict), f"`channel` must be a dictionary ({_GUIDE}); it is {type(table).__name__}.")
    _check_keys("channel", table, _CHANNEL_KEYS)
    _check("simulate" in functions, "has no function simulate(x, latents, parameters, key, ids).")
    _check("id" in table, "channel['id'] is missing: a name for ever, such as 'org.example.my_instrument'.")
    identity = {key: _text("channel", table, key) for key in ("id", "vendor", "url", "licence")}
    _check(re.fullmatch(r"[A-Za-z0-9_.-]+", identity["id"]), f"channel['id'] = {identity['id']!r} (letters, digits, '.', '_' and '-').")
    first = (docstring or "").strip().split("\n\n")[0].replace("\n", " ")
    determinism = table.get("determinism", "per_sample" if uses_sdk_generator else "none")
    _check(determinism in _DETERMINISMS, f"channel['determinism'] must be one of {', '.join(_DETERMINISMS)}; it is {determinism!r}.")
    parameters = [_parameter(*item) for item in _tables(table, "parameters")]
    latents = [_latent(*item, "draw_latents" in functions) for item in _tables(table, "latents")]
    values = {p["id"]: p["default"] if isinstance(p["default"], (int, float)) else 1.0 for p in parameters if p["type"] in ("f64", "i64")}
    for latent in latents:  # a prior that names no parameter is found now and not in the middle of a run
        law = priors.parse(latent["prior"])
        for argument in law[1] if law else ():
            priors.value(argument, values, latent["prior"])
    return {**identity, "name": _text("channel", table, "name", identity["id"].rpartition(".")[2]),
            "version": _text("channel", table, "version", "1"), "description": _text("channel", table, "description", first),
            "determinism": determinism, "thread_class": "instance_serial", "parameters": parameters, "latents": latents,
            "capabilities": [f"{name}/1" for name in _CAPABILITIES if name in functions]}
