"""The arrows of the layers: which folder may include which. The table is the only place where they are written for the machine."""

# Header roots of a module: <unchannel/NAME/...> lives in this folder.
CORE = ["base", "distributed", "data", "measurement", "nn", "interpolant", "metrics", "kernels", "transport", "scsi", "posterior", "baselines", "theory", "run",
        "verification", "diagnostics", "identification", "report"]
CHANNELS = ["plugin_host", "plugin_project", "conformance", "tensor"]

# module -> modules it may include directly; everything they may include comes with them.
DIRECT = {
    "plugin-api": [],
    "core/base": ["plugin-api/random"],
    "core/distributed": ["core/base"],
    "core/measurement": ["core/base"],
    "core/nn": ["core/base"],
    "core/interpolant": ["core/base"],
    "core/data": ["core/base"],
    "core/metrics": ["core/base"],
    "core/kernels": ["core/base"],
    "core/transport": ["core/nn", "core/interpolant"],
    "core/theory": ["core/base"],
    "core/run": ["core/base", "core/data"],
    # run: the training loop writes its own checkpoints and metrics, so that a resumed run continues inside the loop.
    "core/scsi": ["core/transport", "core/measurement", "core/data", "core/metrics", "core/run", "core/distributed"],
    "core/posterior": ["core/scsi", "core/metrics"],
    "core/baselines": ["core/transport", "core/measurement", "core/data", "core/metrics"],
    "core/verification": ["core/scsi", "core/theory"],
    "core/diagnostics": ["core/scsi", "core/metrics"],
    "core/identification": ["core/diagnostics", "core/scsi", "core/metrics"],
    "core/report": ["core/run", "core/metrics"],
}
ALL_CORE = ["core/" + name for name in CORE]
ALL_CHANNELS = ["channels/" + name for name in CHANNELS]

# Whole trees: every folder below has the same rights.
TREES = {
    "plugins": ["plugin-api"],
    "channels": ALL_CORE + ALL_CHANNELS + ["plugin-api"],
    "apps": ALL_CORE + ALL_CHANNELS + ["plugin-api"],
    "tests": ALL_CORE + ALL_CHANNELS + ["plugin-api", "tests", "plugins", "apps"],
}

# Folders whose code must build without torch: the worker links them, and the asan and tsan presets consist of them.
TORCH_FREE = ["plugin-api", "plugins", "core/base", "core/distributed", "core/data", "core/theory", "channels/plugin_host", "channels/plugin_project", "channels/conformance",
              "apps/worker"]
TORCH_INCLUDES = ("torch/", "ATen/", "c10/")

MAX_FILES_WITH_TORCH_NN = 100


def is_torch_free(module):
    return any(module == folder or module.startswith(folder + "/") for folder in TORCH_FREE)


def module_of(path):
    """'core/base/error.hpp' -> 'core/base'; None for files outside the layers."""
    parts = path.split("/")
    if parts[0] == "plugin-api":
        return "plugin-api"
    if parts[0] in ("core", "channels", "plugins", "apps") and len(parts) > 2:
        return "/".join(parts[:2])
    return "tests" if parts[0] == "tests" else None


def module_of_include(target):
    """'unchannel/base/error.hpp' -> 'core/base'; None for headers of others."""
    parts = target.split("/")
    if parts[0] != "unchannel" or len(parts) < 2:
        return None
    if parts[1] == "sdk":
        return "plugin-api"
    if len(parts) == 2:
        return "plugin-api/random" if parts[1] == "random.h" else "plugin-api"
    if parts[1] in CORE:
        return "core/" + parts[1]
    if parts[1] in CHANNELS:
        return "channels/" + parts[1]
    if parts[1] == "test_support":
        return "tests"
    return "unknown: " + parts[1]


def allowed(module):
    """Every module that `module` may include, its own among them."""
    tree = module.split("/")[0]
    if tree in TREES:
        return set(TREES[tree]) | {module, "plugin-api/random"}
    reached, waiting = set(), [module]
    while waiting:
        item = waiting.pop()
        if item not in reached:
            reached.add(item)
            waiting += DIRECT.get(item, [])
    return reached | ({"plugin-api/random"} if "plugin-api" in reached else set())
