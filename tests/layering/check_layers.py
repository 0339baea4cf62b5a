"""Checks the include directions of a source tree against rules.py.

usage: check_layers.py ROOT     prints every forbidden include as file:line: rule; exit 1 when there is one
"""
import os
import re
import sys

import rules

SOURCE = (".h", ".hpp", ".hh", ".c", ".cc", ".cpp", ".cu", ".cuh")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TOP = ("plugin-api", "plugins", "core", "channels", "apps", "tests")


def source_files(root):
    for top in TOP:
        for folder, subfolders, names in os.walk(os.path.join(root, top)):
            subfolders[:] = sorted(name for name in subfolders if name not in ("build", "__pycache__"))
            for name in sorted(names):
                if name.endswith(SOURCE):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def includes(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1), match.group(2)


def resolve(root, path, kind, target):
    """The module that an include reaches; None when it is none of ours."""
    if kind == '"':
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)).replace(os.sep, "/")
        if os.path.exists(os.path.join(root, file)) or target.startswith(".."):
            if file.startswith("plugin-api/"):
                return "plugin-api/random" if file.endswith("/random.h") else "plugin-api"
            return rules.module_of(file) or "unknown: " + file
    return rules.module_of_include(target)


def rule_broken(module, path, reached, target):
    """Why this include is forbidden, or None."""
    if target.startswith(rules.TORCH_INCLUDES):
        if path.endswith((".cu", ".cuh")):
            return "a CUDA file includes no torch header"
        if rules.is_torch_free(module):
            return f"{module} is torch-free"
    if reached is None or reached == module:
        return None
    if reached.startswith("unknown: "):
        return f"'{reached[9:]}' is no module: add it to tests/layering/rules.py with its arrows"
    if module.startswith("core/") and module not in rules.DIRECT:
        return f"{module} has no arrows: add it to tests/layering/rules.py"
    if reached not in rules.allowed(module) and not (module == "tests" and reached.split("/")[0] in rules.TREES):
        return f"{module} may not include {reached}"
    if rules.is_torch_free(module) and not rules.is_torch_free(reached):
        return f"{module} is torch-free and {reached} is not"
    return None


def check(root):
    """Returns (complaints, number of files, number of files with torch/nn.h)."""
    complaints, files, heavy = [], 0, []
    for path in source_files(root):
        module = rules.module_of(path)
        if module is None:
            continue
        files += 1
        for number, kind, target in includes(root, path):
            if target == "torch/nn.h" or target == "torch/torch.h":
                heavy.append(path)
            reason = rule_broken(module, path, resolve(root, path, kind, target), target)
            if reason:
                complaints.append(f"{path}:{number}: {reason} (<{target}>).")
    if len(heavy) > rules.MAX_FILES_WITH_TORCH_NN:
        complaints.append(f"{len(heavy)} files include torch/nn.h, and at most {rules.MAX_FILES_WITH_TORCH_NN} may (21 s of compiling each): "
                          "include ATen/core/Tensor.h where that is enough.")
    return complaints, files, len(heavy)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    complaints, files, heavy = check(sys.argv[1])
    for complaint in complaints:
        print(complaint)
    print(f"{files} files checked, {len(complaints)} forbidden includes, {heavy} of at most {rules.MAX_FILES_WITH_TORCH_NN} files with torch/nn.h.")
    return 1 if complaints or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
