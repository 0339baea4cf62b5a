// latent-prior.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <unchannel/random.h>

#include "checks.hpp"
#include "prior_law.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

constexpr std::int64_t kDraws = 20000, kBatch = 1000;
// P(√n D > 2.6) = 2 exp(−2 · 2.6²) = 3e-6, and as much for a normal variable beyond 4.7. The key is fixed: a pass stays a pass.
constexpr double kMostKolmogorov = 2.6, kMostSigmas = 4.7;

double read_value(const Bytes& bytes, std::size_t at, std::int32_t dtype) {
  const auto read = [&]<class Value>(Value value) {
    std::memcpy(&value, bytes.data() + at * sizeof value, sizeof value);
    return static_cast<double>(value);
  };
  if (dtype == UNCHANNEL_LATENT_F32) return read(float{});
  return dtype == UNCHANNEL_LATENT_I32 ? read(std::int32_t{}) : read(std::int64_t{});
}

/// values[latent][draw]: the first entry of each latent that has a law, the rest empty. The signals are the same in every batch.
std::vector<std::vector<double>> draw(const Instance& instance, const std::vector<PriorLaw>& laws) {
  std::vector<std::vector<double>> values(laws.size());
  const std::int64_t count = sample_count(instance.layout(), kBatch);
  Batch batch = make_inputs(instance, count, 42, 0);
  for (std::int64_t done = 0; done < kDraws; done += count) {
    std::iota(batch.ids.begin(), batch.ids.end(), static_cast<std::uint64_t>(done));
    take_latents(instance, call_ok(instance, Operation::draw_latents, batch), batch);
    for (std::size_t i = 0; i < laws.size(); ++i) {
      if (!laws[i].testable()) continue;
      const auto width = static_cast<std::size_t>(instance.layout().latents[i].size);
      for (std::size_t sample = 0; sample < batch.ids.size(); ++sample) {
        values[i].push_back(read_value(batch.latents[i], sample * width, instance.subject().description().latents[i].dtype));
      }
    }
  }
  return values;
}

/// The laws of the latents that are active and drawn; none for the others.
std::vector<PriorLaw> laws_of(const Instance& instance) {
  const Subject& subject = instance.subject();
  std::map<std::string, double> parameters;
  const auto given = subject.values();
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].is_number()) parameters[subject.description().parameters[i].id] = given[i].get<double>();
  }
  std::vector<PriorLaw> laws(instance.layout().latents.size());
  for (std::size_t i = 0; i < laws.size(); ++i) {
    const LatentDescription& latent = subject.description().latents[i];
    if (!instance.layout().latents[i].active || latent.data_only()) continue;
    laws[i] = parse_prior(latent.prior, parameters);
    check<CheckFailed>(laws[i].valid(), "the prior {} of latent {} has impossible arguments ({}, {}).", latent.prior, latent.id, laws[i].a,
                       laws[i].b);
  }
  return laws;
}

struct Moments {
  double mean = 0, variance = 0, neighbours = 0;  ///< neighbours: correlation of successive draws
};

Moments moments(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Moments m;
  for (const double value : values) m.mean += value / n;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double deviation = values[i] - m.mean;
    m.variance += deviation * deviation / (n - 1);
    if (i + 1 < values.size()) m.neighbours += deviation * (values[i + 1] - m.mean) / n;
  }
  m.neighbours = m.variance > 0 ? m.neighbours / m.variance : 0;
  return m;
}

void expect_constant(const std::vector<double>& values, double wanted, const std::string& id) {
  for (const double value : values) {
    check<CheckFailed>(std::abs(value - wanted) <= 1e-6 * std::abs(wanted), "latent {} is declared constant, {}; {} was drawn.", id, wanted,
                       value);
  }
}

/// Bernoulli and Poisson: support, mean, variance. Var(s²) = (μ₄ − σ⁴) / n with μ₄ = σ² (1 + 3 σ²) for Poisson.
void expect_discrete(const std::vector<double>& values, const PriorLaw& law, const std::string& id) {
  for (const double value : values) {
    check<CheckFailed>(value == std::floor(value) && value >= 0 && (law.kind == PriorLaw::Kind::poisson || value <= 1),
                       "latent {}: {} was drawn, which its law does not contain.", id, value);
  }
  if (law.variance() == 0) return expect_constant(values, law.mean(), id);
  const Moments m = moments(values);
  const auto n = static_cast<double>(values.size());
  const double z_mean = (m.mean - law.mean()) / std::sqrt(law.variance() / n);
  check<CheckFailed>(std::abs(z_mean) < kMostSigmas, "latent {} has the mean {:.5g}; its prior has {:.5g} ({:.1f} standard errors).", id,
                     m.mean, law.mean(), z_mean);
  if (law.kind != PriorLaw::Kind::poisson) return;
  const double v = law.variance(), z_variance = (m.variance - v) / std::sqrt((v * (1 + 3 * v) - v * v) / n);
  check<CheckFailed>(std::abs(z_variance) < kMostSigmas, "latent {} has the variance {:.5g}; its prior has {:.5g}.", id, m.variance, v);
}

/// uniform(a, b) of an integer latent: each integer of [a, b] is equally likely. A uniform number of width one around each value makes the law
/// continuous, with the same text for both.
void make_continuous(std::vector<double>& values, PriorLaw& law, const std::string& id) {
  law.a = std::ceil(law.a);
  law.b = std::floor(law.b);
  check<CheckFailed>(law.a <= law.b, "latent {}: its prior's interval contains no integer.", id);
  for (std::size_t i = 0; i < values.size(); ++i) {
    check<CheckFailed>(values[i] >= law.a && values[i] <= law.b, "latent {}: {} was drawn, which its law does not contain.", id, values[i]);
    values[i] += static_cast<double>(unchannel_uniform(0x646974686572, i, 0, 0)) - 0.5;
  }
  law.a -= 0.5;
  law.b += 0.5;
}

void expect_law(std::vector<double> values, PriorLaw law, const LatentDescription& latent, nlohmann::json& detail) {
  if (law.degenerate()) {
    return expect_constant(values, law.kind == PriorLaw::Kind::lognormal ? std::exp(law.a) : law.a, latent.id);
  }
  if (!law.continuous()) return expect_discrete(values, law, latent.id);
  if (latent.dtype != UNCHANNEL_LATENT_F32) {
    check<CheckFailed>(law.kind == PriorLaw::Kind::uniform, "latent {} is an integer, its prior {} is a law of real numbers.", latent.id,
                       latent.prior);
    make_continuous(values, law, latent.id);
  }
  const double distance = kolmogorov_smirnov(values, law);
  detail["kolmogorov_smirnov"][latent.id] = distance;
  const Moments m = moments(values);
  check<CheckFailed>(
      distance < kMostKolmogorov,
      "latent {} is not distributed as {}: Kolmogorov–Smirnov statistic {:.1f} (below {} expected), mean {:.5g} instead of {:.5g}.",
      latent.id, latent.prior, distance, kMostKolmogorov, m.mean, law.mean());
  const double z = m.neighbours * std::sqrt(static_cast<double>(values.size()));
  check<CheckFailed>(std::abs(z) < kMostSigmas, "latent {} of neighbouring samples is correlated ({:.1f} standard errors).", latent.id, z);
}

}  // namespace

void check_latent_prior(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const auto laws = laws_of(*instance);
  const auto tested = std::count_if(laws.begin(), laws.end(), [](const PriorLaw& law) { return law.testable(); });
  if (tested == 0) throw CheckSkipped("no latent with a law of its own is active in this configuration.");
  auto values = draw(*instance, laws);
  for (std::size_t i = 0; i < laws.size(); ++i) {
    if (laws[i].testable()) expect_law(std::move(values[i]), laws[i], subject.description().latents[i], detail);
  }
  detail["latents"] = tested;
}

}  // namespace unchannel::conformance
