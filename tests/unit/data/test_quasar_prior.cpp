#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/data/prior/absorption.hpp>
#include <unchannel/data/prior/quasar_draw.hpp>
#include <unchannel/data/spectra/log_lambda_grid.hpp>

#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;

// The real prior where UNCHANNEL_QUASAR_PRIOR names it, else one of the same form: smooth mean, 3 factors, Fortran order.
std::filesystem::path prior_file(const TempDir& folder) {
  if (const char* real = std::getenv("UNCHANNEL_QUASAR_PRIOR")) return real;
  PythonOracle::run(R"(
import sys, numpy as np
w = np.arange(850.75, 1421, 0.25, dtype=np.float32)
x = (w.astype(float) - 1100) / 300
np.savez(sys.argv[1], rest_wavelengths=w, mu=1 + 0.3 * x + 2 * np.exp(-0.5 * ((w - 1216.) / 8) ** 2),
         M=np.asfortranarray(np.stack([0.3 + 0 * x, 0.2 * x, 0.5 * np.exp(-0.5 * ((w - 1216.) / 8) ** 2)], 1)))
)",
                    (folder / "prior.npz").string());
  return folder / "prior.npz";
}

// Straight lines and a constant factor: every value can be said beforehand.
QuasarPrior simple_prior() { return QuasarPrior({900, 1000, 1400}, {1, 2, 6}, {1, 0, 1, 1, 1, 5}, "simple", ""); }

TEST(QuasarPrior, InterpolatesLinearlyAtRestWavelengths) {
  const QuasarPrior prior = simple_prior();
  const std::vector<double> grid{2 * 900.0, 2 * 950.0, 2 * 1000.0, 2 * 1100.0, 2 * 1400.0};
  const std::vector<double> expected{1, 1.5, 2, 3, 6};
  const auto mean = prior.mean_at(1.0, grid);
  const auto factors = prior.factors_at(1.0, grid);
  for (std::size_t k = 0; k < grid.size(); ++k) {
    EXPECT_NEAR(mean[k], expected[k], 1e-12);
    EXPECT_NEAR(factors[2 * k], 1, 1e-12);
    EXPECT_NEAR(factors[2 * k + 1], expected[k] - 1, 1e-12);
  }
  EXPECT_NE(thrown_message<ConfigError>([&] { prior.mean_at(0.9, grid); }).find("outside the prior's 900.00 … 1400.00"), std::string::npos);
}

TEST(QuasarPrior, ReadsTheNpzAloneAndInsideAWheel) {
  UNCHANNEL_NEEDS_PYTHON("numpy");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np, zipfile
d = sys.argv[1]
np.savez(d + '/eboss_dr16q_minus_dr12q.npz', rest_wavelengths=np.array([1., 2, 3], 'f4'), mu=np.array([4., 5, 6]), M=np.asfortranarray(np.arange(6.).reshape(3, 2)))
with zipfile.ZipFile(d + '/gp.whl', 'w', zipfile.ZIP_DEFLATED) as z:
    z.write(d + '/eboss_dr16q_minus_dr12q.npz', 'gp_dla_finder/data/models/eboss_dr16q_minus_dr12q.npz')
    z.writestr('gp_dla_finder/__init__.py', 'raise SystemExit')
np.savez(d + '/wrong.npz', rest_wavelengths=np.array([1., 2, 3]), mu=np.array([4., 5, 6]), M=np.zeros((2, 3)))
np.savez(d + '/nan.npz', rest_wavelengths=np.array([1., 2, 3]), mu=np.array([4., np.nan, 6]), M=np.zeros((3, 2)))
np.savez(d + '/other.npz', a=1)
)",
                    folder.path().string());
  for (const char* name : {"eboss_dr16q_minus_dr12q.npz", "gp.whl"}) {
    const QuasarPrior prior = load_quasar_prior(folder / name);
    EXPECT_EQ(prior.rank(), 2u);
    EXPECT_EQ(std::vector<double>(prior.factors().begin(), prior.factors().end()), (std::vector<double>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(prior.source(), name);
  }
  EXPECT_NE(thrown_message<DataError>([&] { load_quasar_prior(folder / "wrong.npz"); }).find("[P, R]"), std::string::npos);
  EXPECT_NE(thrown_message<DataError>([&] { load_quasar_prior(folder / "nan.npz"); }).find("mu[1] is nan"), std::string::npos);
  EXPECT_NE(thrown_message<DataError>([&] { load_quasar_prior(folder / "other.npz"); }).find("has no array \"rest_wavelengths\""),
            std::string::npos);
}

TEST(QuasarDraw, ObjectsDependOnKeyAndGlobalIndexOnly) {
  const QuasarPrior prior = simple_prior();
  const QuasarDrawOptions options{.key = 3,
                                  .count = 10,
                                  .rest_frame = true,
                                  .wavelength_min_angstrom = 900,
                                  .wavelength_max_angstrom = 1400,
                                  .pixels = 8,
                                  .forest = true,
                                  .broad_absorption = 0.5};
  const QuasarDraw all = draw_quasar_prior(prior, options, 0, 10);
  QuasarDrawOptions later = options;
  later.first_index = 6;
  const QuasarDraw tail = draw_quasar_prior(prior, later, 1, 3);
  EXPECT_TRUE(std::equal(tail.signals_BD.begin(), tail.signals_BD.end(), all.signals_BD.begin() + 7 * 8));
  EXPECT_EQ(tail.redshift_B[0], all.redshift_B[7]);
  EXPECT_EQ(tail.object_id_B[2], 9);
  QuasarDrawOptions other = options;
  other.key = 4;
  EXPECT_NE(draw_quasar_prior(prior, other, 0, 10).signals_BD, all.signals_BD);
}

TEST(QuasarDraw, MomentsAgreeWithNumpyInBothFrames) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  const auto file = prior_file(folder);
  const QuasarPrior prior = load_quasar_prior(file);
  QuasarDrawOptions options{.key = 5, .count = 6000, .pixels = 64};
  write_quasar_draw(prior, options, folder / "observed.h5");
  options.rest_frame = true;
  options.wavelength_min_angstrom = 1030;
  options.wavelength_max_angstrom = 1415;
  write_quasar_draw(prior, options, folder / "rest.h5");
  // E[x] and Cov[x] of the mixture over z by quadrature; 6 standard errors on 64 means, and on the variances of 64 pixels and of 20
  // random projections, which test the correlations.
  const std::string answer = PythonOracle::run(R"(
import sys, io, zipfile, h5py, numpy as np
name = sys.argv[1]
if name.endswith('.whl'):
    z = zipfile.ZipFile(name)
    name = io.BytesIO(z.read([n for n in z.namelist() if n.endswith('eboss_dr16q_minus_dr12q.npz')][0]))
p = np.load(name)
w, mu, M = p['rest_wavelengths'].astype(float), p['mu'], p['M']
for frame in 'observed', 'rest':
    f = h5py.File(sys.argv[2] + '/' + frame + '.h5')
    x, z, lam = f['signals'][:].astype(float), f['redshift'][:], f['coordinates/wavelength'][:]
    assert f['coordinates/wavelength'].attrs['frame'] == frame and f.attrs['origin'].startswith('semi-synthetic: eBOSS DR16Q prior')
    assert np.allclose(np.diff(np.log(lam)), np.log(lam[-1] / lam[0]) / 63, rtol=1e-9)
    assert z.min() >= 2.75 and z.max() <= 3.25 and abs(z.mean() - 3) < 6 * 0.5 / np.sqrt(12 * len(z))
    assert (f['object_id'][:] == np.arange(len(z))).all()
    at = lambda v, q: np.interp(lam / (1 + (q if frame == 'observed' else 0)), w, v)
    # per-object: residual from the mean at its own z, explained by the factors at its own z
    for i in (0, 17):
        A = np.stack([at(M[:, r], z[i]) for r in range(M.shape[1])], 1)
        r = x[i] - at(mu, z[i])
        c = np.linalg.lstsq(A, r, rcond=None)[0]
        assert np.abs(A @ c - r).max() < 1e-5 * np.abs(x[i]).max(), np.abs(A @ c - r).max()
    zq = 2.75 + 0.5 * (np.arange(400) + 0.5) / 400
    m1 = np.stack([at(mu, q) for q in zq])
    A = [np.stack([at(M[:, r], q) for r in range(M.shape[1])], 1) for q in zq]
    mean = m1.mean(0)
    cov = sum(a @ a.T for a in A) / len(A) + np.cov(m1.T, bias=True)
    n = len(z)
    assert (np.abs(x.mean(0) - mean) < 6 * np.sqrt(np.diag(cov) / n)).all()
    P = np.concatenate([np.eye(64), np.random.default_rng(1).standard_normal((20, 64))])
    y = (x - mean) @ P.T
    v, want = (y ** 2).mean(0), np.einsum('pd,de,pe->p', P, cov, P)
    assert (np.abs(v - want) < 6 * (y ** 2).std(0) / np.sqrt(n)).all(), np.abs(v / want - 1).max()
print('agrees')
)",
                                               file.string() + " " + folder.path().string());
  EXPECT_EQ(answer, "agrees\n");
}

TEST(LymanForest, MeanTransmissionIsThatOfTheEffectiveOpticalDepth) {
  const LymanForest forest;
  // Independent quadrature (midpoints in the quantile of g would miss the tails; here Simpson on ±8 with other nodes).
  for (const double tau : {1e-4, 0.01, 0.1, 0.35, 1.0, 3.0, 6.0}) {
    const double amplitude = forest.amplitude(tau);
    double sum = 0;
    constexpr int kNodes = 4000;
    for (int k = 0; k <= kNodes; ++k) {
      const double g = -8.0 + 16.0 * k / kNodes;
      const double simpson = k == 0 || k == kNodes ? 1 : k % 2 == 1 ? 4 : 2;
      sum += simpson * std::exp(-0.5 * g * g) / std::sqrt(2 * M_PI) * std::exp(-amplitude * std::exp(1.2 * g));
    }
    EXPECT_NEAR(sum * 16.0 / kNodes / 3, std::exp(-tau), 2e-5 * std::exp(-tau) * tau + 1e-9) << tau;
  }
}

TEST(LymanForest, DrawsHaveTheStatedMeanWidthAndCorrelation) {
  const LymanForest forest;
  constexpr std::size_t kPixels = 4096;
  // Steps of 75 km/s: half a correlation length.
  std::vector<double> wavelength(kPixels);
  for (std::size_t k = 0; k < kPixels; ++k) wavelength[k] = 3000 * std::exp(static_cast<double>(k) * 75.0 / kSpeedOfLightKmS);
  const double redshift = 9;  // everything lies in the forest
  double count = 0, mean = 0, log_sum = 0, log_square = 0, lag1 = 0, lag4 = 0;
  for (std::uint64_t id = 0; id < 200; ++id) {
    std::vector<double> flux(kPixels, 1.0);
    forest.absorb(RandomKey(1), id, redshift, wavelength, flux);
    std::vector<double> g(kPixels);
    for (std::size_t k = 0; k < kPixels; ++k) {
      const double tau = LymanForest::mean_optical_depth(wavelength[k] / kLymanAlphaAngstrom - 1);
      g[k] = (std::log(-std::log(flux[k])) - std::log(forest.amplitude(tau))) / 1.2;
      if (!std::isfinite(g[k])) g[k] = 0;  // a fully opaque pixel
      mean += flux[k] / std::exp(-tau);
    }
    for (std::size_t k = 0; k + 4 < kPixels; ++k) {
      ++count;
      log_sum += g[k];
      log_square += g[k] * g[k];
      lag1 += g[k] * g[k + 1];
      lag4 += g[k] * g[k + 4];
    }
  }
  // About 200 · 4096 / (2 · 2) independent values: standard errors near 2e-3; 6 of them.
  EXPECT_NEAR(mean / (200 * kPixels), 1.0, 6 * 2e-3);
  EXPECT_NEAR(log_sum / count, 0.0, 6 * 2.3e-3);
  EXPECT_NEAR(log_square / count, 1.0, 6 * 3e-3);
  EXPECT_NEAR(lag1 / count, std::exp(-0.5), 6 * 3e-3);
  EXPECT_NEAR(lag4 / count, std::exp(-2.0), 6 * 3e-3);
}

TEST(LymanForest, LeavesTheRedSideOfLymanAlphaUntouched) {
  const LymanForest forest;
  const std::vector<double> wavelength{1215.0 * 4, 1215.6 * 4, 1215.7 * 4, 1300.0 * 4};
  std::vector<double> flux(4, 1.0);
  forest.absorb(RandomKey(1), 1, 3.0, wavelength, flux);
  EXPECT_LT(flux[0], 1.0);
  EXPECT_LT(flux[1], 1.0);
  EXPECT_EQ(flux[2], 1.0);
  EXPECT_EQ(flux[3], 1.0);
}

TEST(BroadAbsorption, ShareAndTroughsAreAsStated) {
  int present = 0;
  for (std::uint64_t id = 0; id < 20000; ++id) {
    const BroadAbsorption troughs(RandomKey(2), id, 0.15);
    if (!troughs.present()) {
      EXPECT_EQ(troughs.transmission(1200), 1.0);
      continue;
    }
    ++present;
    const double width = troughs.velocity_high_km_s() - troughs.velocity_low_km_s();
    EXPECT_GE(troughs.velocity_low_km_s(), 3000);
    EXPECT_LE(troughs.velocity_high_km_s(), 25000);
    EXPECT_GE(width, 2000);
    EXPECT_LE(width, 10000);
    const double centre = 0.5 * (troughs.velocity_low_km_s() + troughs.velocity_high_km_s());
    EXPECT_LE(troughs.transmission(1396.8 * std::exp(-centre / kSpeedOfLightKmS)), 1 - 0.69 * troughs.depth());
    EXPECT_NEAR(troughs.transmission(1415), 1.0, 1e-6);  // redward of every line
  }
  EXPECT_NEAR(present / 20000.0, 0.15, 5 * std::sqrt(0.15 * 0.85 / 20000));
}

TEST(QuasarDraw, OptionsOutOfRangeAreRefused) {
  const QuasarPrior prior = simple_prior();
  const QuasarDrawOptions good{
      .count = 1, .rest_frame = true, .wavelength_min_angstrom = 900, .wavelength_max_angstrom = 1400, .pixels = 8};
  EXPECT_NO_THROW(check_quasar_draw(prior, good));
  const auto refused = [&](auto change) {
    QuasarDrawOptions options = good;
    change(options);
    return !thrown_message<ConfigError>([&] { check_quasar_draw(prior, options); }).starts_with("another");
  };
  EXPECT_TRUE(refused([](auto& o) { o.redshift_min = 4; }));
  EXPECT_TRUE(refused([](auto& o) { o.pixels = 1; }));
  EXPECT_TRUE(refused([](auto& o) { o.wavelength_max_angstrom = 1401; }));
  EXPECT_TRUE(refused([](auto& o) { o.wavelength_min_angstrom = 2000; }));
  EXPECT_TRUE(refused([](auto& o) { o.broad_absorption = 1.5; }));
  EXPECT_TRUE(refused([](auto& o) { o.redshift_max = NAN; }));
}

}  // namespace
}  // namespace unchannel
