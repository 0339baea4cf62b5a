"""What script/demo makes again when it is started again. A stand-in for the program records how it is called."""
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

STAND_IN = r"""#!/usr/bin/env bash
# Writes every file that it is told to write, and notes their names.
written=() degrade=
[[ $1 != degrade ]] || degrade=yes
while (( $# )); do
  case "$1" in
    --output|--reference|--json) written+=("$2"); shift ;;
    --run) mkdir -p "$2/checkpoints"; [[ -e $2/checkpoints/latest.safetensors ]] || written+=("$2/checkpoints/latest.safetensors"); shift ;;
  esac
  shift
done
stopped=
if [[ -n $degrade && -e $STOP_DEGRADE ]]; then stopped=yes written=("${written[0]}"); fi  # as if interrupted between its two files
for file in "${written[@]}"; do echo x > "$file"; echo "$file" >> "$CALLS"; done
[[ -z $stopped ]] || exit 130
"""


def write_script(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for name in ("script", "spectra", "other", "bin"):
            os.mkdir(os.path.join(self.root, name))
        shutil.copy(os.path.join(ROOT, "script", "demo"), os.path.join(self.root, "script", "demo"))
        write_script(os.path.join(self.root, "script", "setup"), "#!/bin/sh\n")
        write_script(os.path.join(self.root, "script", "build"), "#!/bin/sh\necho bin/program\n")
        write_script(os.path.join(self.root, "bin", "program"), STAND_IN)

    def demo(self, *arguments, code=0):
        """Files that the program wrote, relative to the checkout."""
        calls = os.path.join(self.root, "calls")
        if os.path.exists(calls):
            os.remove(calls)
        environment = {key: value for key, value in os.environ.items() if key != "UNCHANNEL_SPECTRA"}
        environment.update(CALLS=calls, STOP_DEGRADE=os.path.join(self.root, "stop"))
        done = subprocess.run([os.path.join(self.root, "script", "demo"), "--smoke", *arguments], capture_output=True, text=True, timeout=60,
                              env=environment, cwd=self.root)
        self.assertEqual(done.returncode, code, done.stderr)
        with open(calls, encoding="utf-8") as file:
            return [os.path.relpath(line.strip(), self.root) for line in file]

    def made(self, *arguments, **options):
        """Names of the data files that were written."""
        return sorted(os.path.basename(path) for path in self.demo(*arguments, **options) if path.endswith(".h5"))

    def age(self, pattern):
        """Makes every file with this name a day older."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                if name == pattern:
                    path = os.path.join(folder, name)
                    old = os.stat(path).st_mtime - 86400
                    os.utime(path, (old, old))

    def test_makes_every_file_once(self):
        self.assertEqual(self.made(), ["observed.h5", "restored.h5", "signals.h5", "test_observed.h5", "test_signals.h5"])
        self.assertEqual(self.made(), [])

    def test_restores_again_what_is_older_than_the_checkpoint(self):
        self.demo("--spectra", "spectra")
        self.age("restored.h5")
        self.age("degraded_restored.h5")
        self.assertEqual(self.made("--spectra", "spectra"), ["degraded_restored.h5", "restored.h5", "restored.h5"])

    def test_simulates_again_what_is_older_than_its_signals(self):
        self.demo()
        self.age("observed.h5")
        self.assertEqual(self.made(), ["observed.h5"])

    def test_gives_every_folder_of_spectra_data_and_a_run_of_its_own(self):
        first = self.demo("--spectra", "spectra")
        self.assertEqual(self.made("--spectra", os.path.join(self.root, "other", "..", "spectra")), [], "the same folder by another name")
        second = self.demo("--spectra", "other")
        self.assertFalse(set(first) & {path for path in second if "boss" in path})
        self.assertEqual(len([path for path in second if path.endswith("spectra.h5")]), 1)
        self.assertEqual(len([path for path in second if "boss" in path and path.endswith("latest.safetensors")]), 1)

    def test_goes_on_after_an_interruption_between_the_two_files_of_degrade(self):
        open(os.path.join(self.root, "stop"), "w").close()
        self.demo("--spectra", "spectra", code=130)
        os.remove(os.path.join(self.root, "stop"))
        self.assertEqual(self.made("--spectra", "spectra"), ["degraded.h5", "degraded_restored.h5", "reference.h5"])

    def test_leaves_the_checkout_alone_when_it_is_told_another_folder(self):
        self.demo("--spectra", "spectra", "--folder", "elsewhere")
        self.assertEqual(sorted(os.listdir(os.path.join(self.root, "elsewhere"))), ["data", "runs"])
        self.assertFalse(os.path.exists(os.path.join(self.root, "data")) or os.path.exists(os.path.join(self.root, "runs")))

    def test_refuses_a_folder_that_is_not_there(self):
        done = subprocess.run([os.path.join(self.root, "script", "demo"), "--spectra", "nowhere"], capture_output=True, text=True, timeout=60,
                              cwd=self.root)
        self.assertEqual((done.returncode, "nowhere is not a folder" in done.stderr), (2, True))


if __name__ == "__main__":
    unittest.main()
