"""Shows that check_layers.py finds each kind of forbidden include: a check that cannot fail is none."""
import os
import sys
import tempfile
import unittest

import check_layers
import rules


class CheckLayers(unittest.TestCase):
    def complaints(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                    out.write(text)
            return check_layers.check(root)[0]

    def assert_forbidden(self, path, include, rule):
        found = self.complaints({path: f"// first line\n#include {include}\n"})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:2: {rule}"), found[0])

    def assert_allowed(self, path, include):
        self.assertEqual(self.complaints({path: f"#include {include}\n"}), [])

    def test_follows_the_arrows(self):
        self.assert_allowed("core/scsi/a.cpp", "<unchannel/measurement/channel.hpp>")
        self.assert_allowed("core/scsi/a.cpp", "<unchannel/base/error.hpp>")  # through transport: arrows chain
        self.assert_allowed("core/base/a.cpp", "<unchannel/random.h>")
        self.assert_allowed("core/verification/a.cpp", "<unchannel/theory/gaussian.hpp>")
        self.assert_allowed("channels/tensor/a.cpp", "<unchannel/plugin_host/loader.hpp>")
        self.assert_allowed("plugins/blur/a.cpp", "<unchannel/channel.hpp>")
        self.assert_allowed("apps/unchannel/a.cpp", "<unchannel/scsi/train.hpp>")
        self.assert_allowed("tests/unit/base/a.cpp", '"../../../core/base/error.hpp"')

    def test_refuses_an_arrow_against_the_direction(self):
        self.assert_forbidden("core/base/a.cpp", "<unchannel/data/reader.hpp>", "core/base may not include core/data")
        self.assert_forbidden("core/data/a.cpp", "<unchannel/nn/mlp.hpp>", "core/data may not include core/nn")
        self.assert_forbidden("core/run/a.cpp", "<unchannel/scsi/train.hpp>", "core/run may not include core/scsi")

    def test_theory_and_scsi_never_meet(self):
        self.assert_forbidden("core/theory/a.cpp", "<unchannel/scsi/train.hpp>", "core/theory may not include core/scsi")
        self.assert_forbidden("core/scsi/a.cpp", "<unchannel/theory/gaussian.hpp>", "core/scsi may not include core/theory")

    def test_core_never_includes_channels(self):
        for name in rules.CORE:
            self.assert_forbidden(f"core/{name}/a.cpp", "<unchannel/plugin_host/loader.hpp>", f"core/{name} may not include channels/plugin_host")

    def test_core_uses_only_the_random_header_of_the_plugin_api(self):
        self.assert_forbidden("core/base/a.cpp", "<unchannel/channel.h>", "core/base may not include plugin-api")

    def test_plugins_see_only_the_plugin_api(self):
        self.assert_forbidden("plugins/blur/a.cpp", "<unchannel/base/error.hpp>", "plugins/blur may not include core/base")

    def test_nobody_includes_apps(self):
        self.assert_forbidden("core/run/a.cpp", '"../../apps/unchannel/commands/commands.hpp"', "core/run may not include apps/unchannel")
        self.assert_forbidden("apps/worker/a.cpp", '"../unchannel/commands/commands.hpp"', "apps/worker may not include apps/unchannel")

    def test_relative_includes_are_followed(self):
        files = {"core/base/a.cpp": '#include "../data/reader.hpp"\n', "core/data/reader.hpp": ""}
        self.assertEqual(len(self.complaints(files)), 1)
        files = {"core/base/a.cpp": '#include "b.hpp"\n', "core/base/b.hpp": ""}
        self.assertEqual(self.complaints(files), [])

    def test_spaces_and_indentation_hide_nothing(self):
        self.assertEqual(len(self.complaints({"core/base/a.cpp": "#if 1\n  #  include   <unchannel/data/reader.hpp>\n#endif\n"})), 1)

    def test_torch_stays_out_of_cuda_files_and_torch_free_folders(self):
        self.assert_forbidden("core/kernels/a.cu", "<ATen/core/Tensor.h>", "a CUDA file includes no torch header")
        self.assert_forbidden("core/base/a.cpp", "<torch/nn.h>", "core/base is torch-free")
        self.assert_forbidden("channels/plugin_host/a.cpp", "<c10/util/Half.h>", "channels/plugin_host is torch-free")
        self.assert_forbidden("channels/plugin_host/a.cpp", "<unchannel/nn/mlp.hpp>", "channels/plugin_host is torch-free and core/nn is not")
        self.assert_forbidden("apps/worker/a.cpp", "<unchannel/tensor/adapter.hpp>", "apps/worker is torch-free and channels/tensor is not")
        self.assert_allowed("apps/worker/a.cpp", "<unchannel/plugin_host/worker.hpp>")
        self.assert_allowed("core/nn/a.cpp", "<torch/nn.h>")

    def test_unknown_modules_must_be_declared(self):
        self.assert_forbidden("core/run/a.cpp", "<unchannel/novelty/a.hpp>", "'novelty' is no module")
        self.assert_forbidden("core/novelty/a.cpp", "<unchannel/base/error.hpp>", "core/novelty has no arrows")

    def test_counts_files_with_the_heavy_header(self):
        most = rules.MAX_FILES_WITH_TORCH_NN
        files = {f"core/nn/a{i}.cpp": "#include <torch/nn.h>\n" for i in range(most)}
        self.assertEqual(self.complaints(files), [])
        files["core/nn/one_more.cpp"] = "#include <torch/nn.h>\n"
        self.assertTrue(self.complaints(files)[0].startswith(f"{most + 1} files include torch/nn.h"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
