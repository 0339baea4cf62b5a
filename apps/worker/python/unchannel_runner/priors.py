"""Latents drawn from the laws that the table names: uniform(a, b), normal(mean, sd), lognormal(mean, sd), bernoulli(p)."""
import ast
import math

import numpy as np

from .problems import Refused

_ARGUMENTS = {"uniform": 2, "normal": 2, "lognormal": 2, "bernoulli": 1}
_OPERATIONS = {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b}


def parse(text):
    """(name of the law, its arguments as expressions), or None when the text names no law that can be drawn here."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    known = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and _ARGUMENTS.get(tree.func.id) == len(tree.args)
    return (tree.func.id, tree.args) if known and not tree.keywords else None


def value(node, parameters, text):
    """An argument: numbers, ids of parameters, +, -, * and parentheses."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in parameters and not isinstance(parameters[node.id], str):
        return float(parameters[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -value(node.operand, parameters, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](value(node.left, parameters, text), value(node.right, parameters, text))
    raise Refused(f"the prior '{text}' may hold numbers, ids of numeric parameters, +, -, * and parentheses.")


def draw(text, parameters, key, ids, shape, integer=False):
    """[B, *shape] float64; row i depends on (key, ids[i]) alone. integer: uniform(a, b) gives each integer from a to b alike."""
    import unchannel_random as random  # late: whether the channel's file uses it says something about the file

    law, arguments = parse(text)
    a, b = ([value(node, parameters, text) for node in arguments] + [0.0])[:2]
    if law == "uniform" and integer:
        low, high = math.ceil(a), math.floor(b)
        if low > high:
            raise Refused(f"the prior '{text}' of an integer latent contains no integer.")
        return np.minimum(low + np.floor((high - low + 1) * random.uniform(key, ids, shape).astype(np.float64)), high)
    if law == "uniform":
        return a + (b - a) * random.uniform(key, ids, shape).astype(np.float64)
    if law == "bernoulli":
        return (random.uniform(key, ids, shape) < a).astype(np.float64)
    normal = a + b * random.normal(key, ids, shape).astype(np.float64)
    return np.exp(normal) if law == "lognormal" else normal
