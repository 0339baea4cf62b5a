"""Runs the built unchannel program in a private folder. UNCHANNEL_BUILD names the build folder."""

import hashlib
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("UNCHANNEL_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "unchannel"


def run(*arguments, timeout=120, **options):
    """Exit code, standard output and standard error of one command."""
    result = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False, **options)
    return result.returncode, result.stdout, result.stderr


def expect_ok(*arguments, **options):
    code, out, err = run(*arguments, **options)
    if code != 0:
        raise AssertionError(f"unchannel {' '.join(map(str, arguments))} ended with {code}:\n{out}\n{err}")
    return out


def real_prior():
    """The downloaded prior, or None where set-up has not run."""
    wheels = sorted((ROOT / ".deps" / "prior").glob("*.whl"))
    return wheels[0] if wheels else None


def weights(run):
    """Hash of the tensors of a run's checkpoint; its header also holds elapsed seconds, which differ."""
    content = (run / "checkpoints" / "latest.safetensors").read_bytes()
    return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little"):]).hexdigest()


class Workspace:
    """A temporary folder with small semi-synthetic data, made once."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="unchannel-integration-")
        self.path = pathlib.Path(self._folder.name)

    def __truediv__(self, name):
        return self.path / name

    def close(self):
        self._folder.cleanup()

    def make_data(self, config="smoke/quasar.toml", count=512, test_count=64):
        prior = real_prior()
        if prior is None:
            return False
        for name, first, rows in (("train", 0, count), ("test", 1000000, test_count)):
            expect_ok("import", "quasar-prior", prior, "--count", rows, "--first-index", first, "--key", 1, "--output", self / f"{name}_signals.h5")
            expect_ok("simulate", ROOT / "configs" / config, "--input", self / f"{name}_signals.h5", "--first-index", first, "--key", 2,
                      "--output", self / f"{name}_observed.h5")
        return True

    def train_arguments(self, config="smoke/quasar.toml", run_name="run"):
        return ["train", ROOT / "configs" / config, "--run", self / run_name, "--set", "run.threads=1", "--set",
                f'data.observations="{self / "train_observed.h5"}"']
