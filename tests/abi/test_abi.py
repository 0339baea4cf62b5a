"""The layout of channel.h against its golden libabigail dump (types.abi), the power of that check, and the plugin binary frozen at v1.0.

    python3 test_abi.py --write     writes types.abi again: only for additions, with a new minor version
"""

import hashlib
import os
import platform
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "plugin-api" / "include"
HEADER = INCLUDE / "unchannel" / "channel.h"
GOLDEN = HERE / "types.abi"
CONSTANTS = HERE / "constants.txt"
ABI_CHANGE = 4  # bit of abidiff's exit code
NEEDED = [tool for tool in ("abidw", "abidiff", "cc") if shutil.which(tool) is None] + ([] if platform.machine() == "x86_64" else ["an x86-64 machine"])

# What a careless change could look like. Static asserts are taken out of these copies: libabigail must see each on its own.
MUTATIONS = {
    "a field moves in a call struct": ("  uint64_t key;  ", "  uint64_t inserted; uint64_t key;  "),
    "two fields of one type are exchanged": ("  uint32_t abi_major;\n  uint32_t abi_minor;\n  const char* name;", "  uint32_t abi_minor;\n  uint32_t abi_major;\n  const char* name;"),
    "a field changes its type": ("  int32_t y_ndim;", "  uint32_t y_ndim;"),
    "a table loses a function": ("  int32_t (*prepare)(void* instance, int32_t device_index);\n", ""),
    "a function of an extension gets another argument": ("(*mean)(void* instance, const unchannel_batch* batch,", "(*mean)(void* instance, int32_t flags, const unchannel_batch* batch,"),
    "a host service returns another type": ("  int32_t (*should_stop)", "  int64_t (*should_stop)"),
    "the entry gets another argument": ("(*unchannel_entry_function)(uint32_t host_abi_major,", "(*unchannel_entry_function)(uint64_t host_abi_major,"),
}


def build(header_text, folder):
    include = pathlib.Path(folder) / "include" / "unchannel"
    include.mkdir(parents=True)
    (include / "channel.h").write_text(header_text, encoding="utf-8")
    library = pathlib.Path(folder) / "types.so"
    subprocess.run(["cc", "-std=c11", "-g", "-gdwarf-4", "-O0", "-fPIC", "-shared", f"-I{include.parent}", str(HERE / "every_struct.c"), "-o", str(library)], check=True)
    return library


def dump(library):
    options = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--short-locs"]
    return subprocess.run(["abidw", *options, str(library)], check=True, capture_output=True, text=True).stdout


def without_asserts(text):
    return re.sub(r"^UNCHANNEL_(SIZE|AT)\(.*\n", "", text, flags=re.M)


def constants(text):
    """Every number and id that both sides compare, as `NAME value`."""
    found = re.findall(r"^#define (UNCHANNEL_\w+) (\S+)", text, flags=re.M)
    return "".join(f"{name} {value}\n" for name, value in found if name not in ("UNCHANNEL_EXPORT", "UNCHANNEL_ABI_MINOR"))


@unittest.skipIf(NEEDED, f"needs: {', '.join(NEEDED)}")
class Layout(unittest.TestCase):
    def compare(self, header_text):
        """abidiff's exit code and report."""
        with tempfile.TemporaryDirectory() as folder:
            now = pathlib.Path(folder) / "now.abi"
            now.write_text(dump(build(header_text, folder)), encoding="utf-8")
            done = subprocess.run(["abidiff", "--harmless", str(GOLDEN), str(now)], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def test_is_that_of_the_golden_dump(self):
        code, report = self.compare(HEADER.read_text(encoding="utf-8"))
        self.assertEqual(code, 0, report)

    def test_every_careless_change_is_seen(self):
        text = without_asserts(HEADER.read_text(encoding="utf-8"))
        for what, (old, new) in MUTATIONS.items():
            with self.subTest(what):
                self.assertEqual(text.count(old), 1, f"the mutation no longer fits the header: {old!r}")
                code, _ = self.compare(text.replace(old, new))
                self.assertTrue(code & ABI_CHANGE, "abidiff has not seen it")

    def test_every_type_of_the_header_is_in_the_dump(self):
        text = HEADER.read_text(encoding="utf-8")
        types = set(re.findall(r"^\} (unchannel_\w+);", text, flags=re.M)) | set(re.findall(r"^struct (unchannel_\w+) \{", text, flags=re.M))
        named = set(re.findall(r"^  (unchannel_\w+) \w+;", (HERE / "every_struct.c").read_text(encoding="utf-8"), flags=re.M))
        self.assertGreater(len(types), 30)
        self.assertEqual(types - named, set())


class Header(unittest.TestCase):
    def test_static_asserts_name_every_field(self):
        text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.S)
        for name, body in re.findall(r"struct (unchannel_\w+) \{(.*?)\n\}", text, flags=re.S):
            self.assertIn(f"UNCHANNEL_SIZE({name},", text)
            for statement in filter(None, (part.strip() for part in re.sub(r"\s+", " ", body).split(";"))):
                pointer = re.search(r"\(\*(\w+)\)\(", statement)
                fields = [pointer.group(1)] if pointer else [re.findall(r"\w+", part)[-1] for part in re.sub(r"\[\w+\]", "", statement).split(",")]
                for field in fields:
                    self.assertIn(f"UNCHANNEL_AT({name}, {field},", text)

    def test_a_moved_field_does_not_compile(self):
        text = HEADER.read_text(encoding="utf-8").replace("  uint64_t key;  ", "  uint64_t inserted; uint64_t key;  ")
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(subprocess.CalledProcessError), open(os.devnull, "w", encoding="utf-8") as null:
            stderr = os.dup(2)
            os.dup2(null.fileno(), 2)
            try:
                build(text, folder)
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)

    def test_frozen_binaries_are_untouched(self):
        for line in (HERE / "frozen" / "SHA256SUMS").read_text(encoding="ascii").splitlines():
            digest, name = line.split()
            self.assertEqual(hashlib.sha256((HERE / "frozen" / name).read_bytes()).hexdigest(), digest, name)

    def test_constants_keep_their_values(self):
        now = dict(line.split() for line in constants(HEADER.read_text(encoding="utf-8")).splitlines())
        for line in CONSTANTS.read_text(encoding="utf-8").splitlines():
            name, value = line.split()
            self.assertEqual(now.get(name), value, name)


def write():
    text = HEADER.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(dump(build(text, folder)), encoding="utf-8")
    CONSTANTS.write_text(constants(text), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()
