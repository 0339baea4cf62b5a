"""Wrong input gives one clear message, the documented exit code and nothing half-written."""

import resource
import unittest

import program


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data(count=256, test_count=16)

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def expect(self, code, fragments, arguments, **options):
        got, out, err = program.run(*arguments, **options)
        self.assertEqual(got, code, f"{out}\n{err}")
        for fragment in fragments:
            self.assertIn(fragment, err)
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("unchannel:")]), 1, err)

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
        self.expect(2, ["snr_min"], self.config_with("snr_min = 0.5", "snr_min = -1.0"))

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

        code, out, err = program.run(*self.train(run_name="full"), preexec_fn=limit)
        self.assertEqual(code, 4, f"{out}\n{err}")
        self.assertFalse(list((self.work / "full" / "checkpoints").glob("*.part")), "a temporary file was left behind")

    def test_run_folder_that_cannot_be_made(self):
        (self.work / "file").write_text("in the way")
        self.expect(4, ["file"], self.train(run_name="file/run"))

    def test_restore_without_a_run(self):
        self.expect(2, ["no run folder"], ["restore", self.work / "nothing", "--input", self.work / "test_observed.h5", "--output", self.work / "x.h5"])
        self.assertFalse((self.work / "x.h5").exists())

    def test_posterior_is_refused_with_the_remedy(self):
        self.expect(2, ["posterior"], ["restore", self.work / "nothing", "--posterior", "--input", self.work / "test_observed.h5", "--output",
                                      self.work / "x.h5"])


if __name__ == "__main__":
    unittest.main()
