"""Manifests with `rows` in a folder of their own, for tests."""
import pathlib
import tempfile
import unittest

MANIFEST = """[program]
command = {command}
rows = "{rows}"
[channel]
id = "org.example.rows"
determinism = "per_sample"
[channel.parameters.gain]
default = 2.0
"""


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def manifest(self, *command, rows="text", more=""):
        file = self.folder / "rows.channel.toml"
        words = ", ".join(f"'''{word}'''" for word in command)
        file.write_text(MANIFEST.format(command=f"[{words}]", rows=rows) + more)
        return file
