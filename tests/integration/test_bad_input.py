"""Wrong input gives one clear message, the documented exit code and nothing half-written."""

import os
import resource
import unittest

import program


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data(count=256, test_count=16)
        cls.make_short_data()
        program.expect_ok(*cls.work.train_arguments(run_name="good"), "--set", "scsi.steps=2")

    @classmethod
    def make_short_data(cls):
        """The test set once more on a grid of half as many pixels, and a run of it."""
        work, config = cls.work, program.ROOT / "configs/smoke/quasar.toml"
        for name, count in (("short", 16), ("short_train", 256)):
            program.expect_ok("import", "quasar-prior", program.real_prior(), "--count", count, "--key", 1, "--pixels", 512, "--output",
                              work / f"{name}_signals.h5")
            program.expect_ok("simulate", config, "--input", work / f"{name}_signals.h5", "--key", 2, "--output", work / f"{name}_observed.h5")
        program.expect_ok("train", config, "--run", work / "short_run", "--set", "run.threads=1", "--set", "scsi.steps=2", "--set",
                          f'data.observations="{work / "short_train_observed.h5"}"')

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def expect(self, code, fragments, arguments, **options):
        got, out, err = program.run(*arguments, **options)
        self.assertEqual(got, code, f"{out}\n{err}")
        for fragment in fragments:
            self.assertIn(fragment, err)
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("unchannel:")]), 1, err)

    def expect_after_progress(self, code, fragments, arguments, **options):
        """For report, whose progress lines may stand before the message."""
        got, out, err = program.run(*arguments, **options)
        self.assertEqual(got, code, f"{out}\n{err}")
        for fragment in fragments:
            self.assertIn(fragment, err.splitlines()[-1])

    def train(self, *extra, run_name="bad"):
        return [*self.work.train_arguments(run_name=run_name), *extra]

    def config_with(self, old, new):
        text = (program.ROOT / "configs/smoke/quasar.toml").read_text()
        self.assertIn(old, text)
        path = self.work / "changed.toml"
        path.write_text(text.replace(old, new, 1).replace("../../data/smoke/observed.h5", str(self.work / "train_observed.h5")))
        return ["train", path, "--run", self.work / "bad"]

    def tearDown(self):
        self.assertFalse((self.work / "bad" / "config.resolved.toml").exists(), "a refused run left a configuration behind")

    def test_mistyped_key(self):
        self.expect(2, ["changed.toml:", "scsi.resampels", "resamples"], self.config_with("resamples =", "resampels ="))

    def test_wrong_type(self):
        self.expect(2, ["changed.toml:", "scsi.resamples"], self.config_with("resamples = 2", 'resamples = "two"'))

    def test_out_of_range(self):
        self.expect(2, ["changed.toml:", "scsi.mixture", "1.5"], self.config_with("mixture = 0.9", "mixture = 1.5"))

    def test_plugin_parameter_out_of_range(self):
        self.expect(2, ["changed.toml:11: channel org.unchannel.spectrograph: parameter snr_min", "it is -1.0"],
                    self.config_with("snr_min = 0.5", "snr_min = -1.0"))

    def test_plugin_parameters_that_the_plugin_refuses(self):
        self.expect(2, ["changed.toml:11: ", "snr_min = 9 must not be above snr_max = 2", "shape [1024] of the rows of", "train_observed.h5"],
                    self.config_with("snr_min = 0.5", "snr_min = 9.0"))

    def test_unknown_plugin_parameter(self):
        self.expect(2, ["snr_mim", "snr_min"], self.config_with("snr_min = 0.5", "snr_mim = 0.5"))

    def test_broken_toml(self):
        self.expect(2, ["changed.toml:"], self.config_with("[scsi]", "[scsi"))

    def test_unknown_plugin(self):
        self.expect(2, ["org.unchannel.spectrogaph", "org.unchannel.spectrograph"], self.config_with("org.unchannel.spectrograph", "org.unchannel.spectrogaph"))

    def test_missing_configuration(self):
        self.expect(2, ["nowhere.toml"], ["train", self.work / "nowhere.toml", "--run", self.work / "bad"])

    def test_missing_data(self):
        self.expect(4, ["nowhere.h5"], self.train("--set", 'data.observations="/nowhere.h5"'))

    def test_signals_where_observations_are_needed(self):
        self.expect(4, ["train_signals.h5"], self.train("--set", f'data.observations="{self.work / "train_signals.h5"}"'))

    def test_truncated_data(self):
        cut = self.work / "cut.h5"
        content = (self.work / "train_observed.h5").read_bytes()
        cut.write_bytes(content[: len(content) // 2])
        self.expect(4, ["cut.h5"], self.train("--set", f'data.observations="{cut}"'))

    def test_nan_in_data(self):
        import h5py
        import shutil

        bad = self.work / "nan.h5"
        shutil.copy(self.work / "train_observed.h5", bad)
        with h5py.File(bad, "r+") as file:
            file["observations"][:, 7] = float("nan")
        self.expect(4, ["nan.h5", "7"], self.train("--set", f'data.observations="{bad}"', run_name="nan_run"))

    def test_too_few_rows(self):
        self.expect(2, ["too few"], self.train("--set", "data.test_rows=1000"))

    def test_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        # The memory that is shared with a worker would be such a file, too.
        arguments = self.train("--set", 'channel.isolation="inproc"', run_name="full")
        code, out, err = program.run(*arguments, preexec_fn=limit)
        self.assertEqual(code, 4, f"{out}\n{err}")
        self.assertFalse(list((self.work / "full" / "checkpoints").glob("*.part")), "a temporary file was left behind")

    def test_run_folder_that_cannot_be_made(self):
        (self.work / "file").write_text("in the way")
        self.expect(4, ["file"], self.train(run_name="file/run"))

    def test_restore_without_a_run(self):
        self.expect(2, ["no run folder"], ["restore", self.work / "nothing", "--input", self.work / "test_observed.h5", "--output", self.work / "x.h5"])
        self.assertFalse((self.work / "x.h5").exists())

    def test_restoration_of_signals_of_another_shape(self):
        self.expect(4, ["short_observed.h5", "[512]", "[1024]", "good"], ["restore", self.work / "good", "--input", self.work / "short_observed.h5",
                                                                          "--output", self.work / "x.h5"])
        self.assertFalse((self.work / "x.h5").exists())

    def test_report_on_signals_of_another_shape(self):
        self.expect_after_progress(4, ["short_observed.h5", "[512]", "[1024]"], ["report", self.work / "good", "--input", self.work / "short_observed.h5"])

    def test_report_with_an_oracle_of_another_shape(self):
        self.expect_after_progress(4, ["test_observed.h5", "short_run", "[512]", "[1024]"],
                                   ["report", self.work / "good", "--input", self.work / "test_observed.h5", "--truth",
                                    self.work / "test_signals.h5", "--oracle", self.work / "short_run"])

    def test_monitor_data_of_another_shape(self):
        for observed, signals, blamed in (("short_observed", "short_signals", "short_observed.h5"),
                                          ("test_observed", "short_signals", "short_signals.h5")):
            self.expect(4, [blamed, "512", "1024"],
                        self.train("--set", f'data.monitor_observations="{self.work / observed}.h5"', "--set",
                                   f'data.monitor_signals="{self.work / signals}.h5"'))

    def test_output_that_is_the_input(self):
        observed, signals = self.work / "test_observed.h5", self.work / "test_signals.h5"
        before = observed.read_bytes(), signals.read_bytes()
        self.expect(2, ["is the same file"], ["restore", self.work / "good", "--input", observed, "--output", observed])
        self.expect(2, ["is the same file"], ["simulate", program.ROOT / "configs/smoke/quasar.toml", "--key", 1, "--input", signals, "--output", signals])
        self.expect(2, ["is the same file"], ["report", self.work / "good", "--input", observed, "--json", observed])
        self.expect(2, ["is the same file"], ["evaluate", "--truth", signals, "--restored", signals, "--json", signals])
        self.assertEqual((observed.read_bytes(), signals.read_bytes()), before)

    def test_more_shards_than_rows(self):
        self.expect(2, ["--shard 1/17", "16 rows"], ["restore", self.work / "good", "--input", self.work / "test_observed.h5", "--output",
                                                     self.work / "x.h5", "--shard", "1/17"])
        self.assertFalse((self.work / "x.h5").exists())

    def test_resumed_restoration_onto_another_result(self):
        output = self.work / "restored.h5"
        arguments = ["restore", self.work / "good", "--input", self.work / "test_observed.h5", "--output", output, "--resume"]
        program.expect_ok(*arguments)
        before = output.read_bytes()
        self.assertIn("complete", program.expect_ok(*arguments))
        for other in (["restore", self.work / "good", "--input", self.work / "train_observed.h5", "--output", output, "--resume"],
                      [*arguments, "--shard", "1/2"]):
            self.expect(2, ["restored.h5", "another result", "test_observed.h5"], other)
        self.assertEqual(output.read_bytes(), before)

    def test_columns_of_other_programs_do_not_cost_the_restoration(self):
        import h5py
        import numpy
        import shutil

        observed, output = self.work / "foreign.h5", self.work / "foreign_restored.h5"
        shutil.copy(self.work / "test_observed.h5", observed)
        with h5py.File(observed, "r+") as file:
            file["wavelength"] = numpy.arange(1024.0)
            file["quality"] = numpy.zeros(16, "i2")
            if "redshift" in file:
                del file["redshift"]
            file["redshift"] = numpy.full(16, numpy.nan)
        program.expect_ok("restore", self.work / "good", "--input", observed, "--output", output)
        with h5py.File(output) as file:
            self.assertEqual(file["signals"].shape, (16, 1024))
            self.assertTrue(numpy.isnan(file["redshift"][:]).all())
            self.assertNotIn("quality", file)

    def test_temporary_folder_that_does_not_exist(self):
        self.expect_after_progress(4, ["TMPDIR", "writable folder"], ["report", self.work / "good"], env={**os.environ, "TMPDIR": "/nowhere"})

    def test_mistyped_command(self):
        self.expect(2, ["'trian' is not a known command", "Did you mean 'train'?"], ["trian", "c.toml"])
        self.expect(2, ["import: 'sdsss' is not", "Did you mean 'sdss'?"], ["import", "sdsss", "x"])
        self.expect(2, ["'--versoin' is not a known option", "Did you mean '--version'?"], ["--versoin"])

    def test_unknown_option(self):
        self.expect(2, ["train: '--resum' is not a known option", "Did you mean '--resume'?"], ["train", "c.toml", "--resum"])
        self.expect(2, ["train: '--steps' is not a known option"], ["train", "c.toml", "--steps", "20"])

    def test_posterior_is_refused_with_the_remedy(self):
        self.expect(2, ["has no posterior sampler", "unchannel posterior", 'epsilon_schedule = "posterior"'],
                    ["restore", self.work / "good", "--posterior", "--input", self.work / "test_observed.h5", "--output", self.work / "x.h5"])


if __name__ == "__main__":
    unittest.main()
