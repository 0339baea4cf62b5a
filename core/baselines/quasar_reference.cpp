#include "quasar_reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <unchannel/base/error.hpp>
#include <vector>

#include "tensor_ops.hpp"

// Further letters: K nodes of a block · R factors
namespace unchannel::baselines {
namespace {

constexpr std::int64_t kNodeBlock = 32;
constexpr double kLogTwoPi = 1.8378770664093453;

// What a block of nodes contributes, in coordinates in which the posterior precision of the factors is diagonal.
struct NodeBlock {
  at::Tensor mean_KD, factors_KDR;         // of the signal
  at::Tensor observed_mean_KM, observed_MKR;  // H mean + offset, H factors V
  at::Tensor eigenvalues_KR, vectors_KRR;
  at::Tensor log_weight_K;
};

NodeBlock make_block(const NodePrior& prior, const AffineResponse& response, std::int64_t begin, std::int64_t end) {
  const std::int64_t K = end - begin, D = prior.dimension, R = prior.rank, M = response.matrix_MD.size(0);
  NodeBlock block;
  block.mean_KD = at::empty({K, D}, at::kDouble);
  block.factors_KDR = at::empty({K, D, R}, at::kDouble);
  block.log_weight_K = at::empty({K}, at::kDouble);
  for (std::int64_t k = 0; k < K; ++k) {
    prior.node(begin + k, block.mean_KD.mutable_data_ptr<double>() + k * D, block.factors_KDR.mutable_data_ptr<double>() + k * D * R);
    block.log_weight_K.mutable_data_ptr<double>()[k] = std::log(prior.weight[static_cast<std::size_t>(begin + k)]);
  }
  block.observed_mean_KM = at::matmul(block.mean_KD, response.matrix_MD.t()) + response.offset_M;
  const at::Tensor observed_KMR =
      at::matmul(response.matrix_MD, block.factors_KDR.permute({1, 0, 2}).reshape({D, K * R})).reshape({M, K, R}).permute({1, 0, 2}).contiguous();
  std::tie(block.eigenvalues_KR, block.vectors_KRR) = at::linalg_eigh(at::bmm(observed_KMR.transpose(1, 2), observed_KMR));
  block.eigenvalues_KR.clamp_min_(0);
  block.observed_MKR = at::bmm(observed_KMR, block.vectors_KRR).permute({1, 0, 2}).contiguous();
  block.factors_KDR = at::bmm(block.factors_KDR, block.vectors_KRR);
  return block;
}

// Posterior of the factors and log evidence of every (object, node) of a block.
struct Likelihood {
  at::Tensor weights_BKR, precision_BKR, log_joint_BK;
};

Likelihood evaluate(const NodeBlock& block, const at::Tensor& y_BM, const at::Tensor& squares_B1, const at::Tensor& variance_B1) {
  const std::int64_t B = y_BM.size(0), K = block.mean_KD.size(0), R = block.eigenvalues_KR.size(1), M = y_BM.size(1);
  const at::Tensor& h_KM = block.observed_mean_KM;
  const at::Tensor shift_KR = at::bmm(block.observed_MKR.permute({1, 2, 0}), h_KM.unsqueeze(2)).squeeze(2);
  const at::Tensor variance_B11 = variance_B1.unsqueeze(2);
  Likelihood result;
  result.precision_BKR = block.eigenvalues_KR.unsqueeze(0) / variance_B11 + 1;
  at::Tensor projected_BKR = at::matmul(y_BM, block.observed_MKR.reshape({M, K * R})).reshape({B, K, R}) - shift_KR;
  result.weights_BKR = projected_BKR.div_(variance_B11 * result.precision_BKR);
  const at::Tensor residual_BK = squares_B1 - 2 * at::matmul(y_BM, h_KM.t()) + h_KM.square().sum(1);
  result.log_joint_BK = block.log_weight_K - 0.5 * (residual_BK / variance_B1 - (result.weights_BKR.square() * result.precision_BKR).sum(2) +
                                                    result.precision_BKR.log().sum(2) + static_cast<double>(M) * (variance_B1.log() + kLogTwoPi));
  return result;
}

// Sums over nodes, each relative to exp(running maximum of the log joint).
struct Sums {
  at::Tensor maximum_B1, total_B1, mean_BD, second_B;

  Sums(std::int64_t B, std::int64_t D)
      : maximum_B1(at::full({B, 1}, -std::numeric_limits<double>::infinity(), at::kDouble)),
        total_B1(at::zeros({B, 1}, at::kDouble)),
        mean_BD(at::zeros({B, D}, at::kDouble)),
        second_B(at::zeros({B}, at::kDouble)) {}

  void add(const NodeBlock& block, const Likelihood& likelihood, const at::Tensor& origin_D) {
    const std::int64_t B = mean_BD.size(0), K = block.mean_KD.size(0), D = block.mean_KD.size(1), R = block.eigenvalues_KR.size(1);
    const at::Tensor maximum = at::maximum(maximum_B1, likelihood.log_joint_BK.amax({1}, true));
    const at::Tensor keep_B1 = (maximum_B1 - maximum).exp();
    maximum_B1 = maximum;
    const at::Tensor share_BK = (likelihood.log_joint_BK - maximum).exp();
    const at::Tensor centred_KD = block.mean_KD - origin_D;  // second moments about a typical signal: less cancellation
    const at::Tensor& w = likelihood.weights_BKR;
    total_B1 = total_B1 * keep_B1 + share_BK.sum(1, true);
    mean_BD.mul_(keep_B1).addmm_(share_BK, centred_KD);
    mean_BD.addmm_((share_BK.unsqueeze(2) * w).reshape({B, K * R}), block.factors_KDR.transpose(1, 2).reshape({K * R, D}));
    // |centred + F w|² + tr F Σ Fᵀ with Σ = diag(1/precision)
    const at::Tensor gram_KRR = at::bmm(block.factors_KDR.transpose(1, 2), block.factors_KDR);
    const at::Tensor cross_KR = at::bmm(block.factors_KDR.transpose(1, 2), centred_KD.unsqueeze(2)).squeeze(2);
    const at::Tensor quadratic_BK = (at::bmm(w.transpose(0, 1), gram_KRR).transpose(0, 1) * w).sum(2);
    const at::Tensor trace_BK = (gram_KRR.diagonal(0, 1, 2).unsqueeze(0) / likelihood.precision_BKR).sum(2);
    const at::Tensor second_BK = centred_KD.square().sum(1) + 2 * (w * cross_KR).sum(2) + quadratic_BK + trace_BK;
    second_B = second_B * keep_B1.squeeze(1) + (share_BK * second_BK).sum(1);
  }
};

// One node and one set of factor weights per object, drawn by the Gumbel-max rule while the nodes go by.
struct Draw {
  at::Tensor score_B, node_B, factors_BR;

  Draw(std::int64_t B, std::int64_t R)
      : score_B(at::full({B}, -std::numeric_limits<double>::infinity(), at::kDouble)), node_B(at::zeros({B}, at::kLong)), factors_BR(at::zeros({B, R}, at::kDouble)) {}

  void add(const NodeBlock& block, const Likelihood& likelihood, std::int64_t begin, RandomKey key, const at::Tensor& ids_B) {
    const std::int64_t B = score_B.size(0), K = block.mean_KD.size(0), R = block.eigenvalues_KR.size(1);
    at::Tensor uniform_BK = at::empty({B, K}, at::kFloat), normal_BR = at::empty({B, R}, at::kFloat);
    for (std::int64_t b = 0; b < B; ++b) {
      const std::uint64_t id = static_cast<std::uint64_t>(ids_B.const_data_ptr<std::int64_t>()[b]);
      key.derive(1).uniform(id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(K), uniform_BK.mutable_data_ptr<float>() + b * K);
      key.derive(2).normal(id, 0, static_cast<std::uint32_t>(R), normal_BR.mutable_data_ptr<float>() + b * R);
    }
    const at::Tensor gumbel_BK = uniform_BK.to(at::kDouble).log_().neg_().log_().neg_();
    const auto [best_B, index_B] = (likelihood.log_joint_BK + gumbel_BK).max(1);
    const at::Tensor rows = (best_B > score_B).nonzero().squeeze(1);
    if (rows.numel() == 0) return;
    const at::Tensor chosen = index_B.index_select(0, rows);
    const auto at_chosen = [&](const at::Tensor& x_BKR) {
      return x_BKR.index_select(0, rows).gather(1, chosen.reshape({-1, 1, 1}).expand({-1, 1, R})).squeeze(1);
    };
    const at::Tensor rotated = at_chosen(likelihood.weights_BKR) + normal_BR.to(at::kDouble).index_select(0, rows) / at_chosen(likelihood.precision_BKR).sqrt();
    factors_BR.index_copy_(0, rows, at::bmm(block.vectors_KRR.index_select(0, chosen), rotated.unsqueeze(2)).squeeze(2));
    node_B.index_copy_(0, rows, chosen + begin);
    score_B = at::maximum(score_B, best_B);
  }

  at::Tensor signals(const NodePrior& prior) const {
    const std::int64_t B = score_B.size(0), D = prior.dimension, R = prior.rank;
    at::Tensor result_BD = at::empty({B, D}, at::kDouble), factors_DR = at::empty({D, R}, at::kDouble), mean_D = at::empty({D}, at::kDouble);
    const auto [nodes, order] = node_B.sort();
    std::int64_t loaded = -1;
    for (std::int64_t i = 0; i < B; ++i) {
      const std::int64_t node = nodes.const_data_ptr<std::int64_t>()[i], b = order.const_data_ptr<std::int64_t>()[i];
      if (node != loaded) prior.node(node, mean_D.mutable_data_ptr<double>(), factors_DR.mutable_data_ptr<double>());
      loaded = node;
      result_BD.select(0, b).copy_(mean_D + at::matmul(factors_DR, factors_BR.select(0, b)));
    }
    return result_BD;
  }
};

void check_observations(const AffineResponse& response, std::int64_t dimension, const at::Tensor& y_BM, const at::Tensor& noise_B) {
  check<ShapeError>(response.matrix_MD.size(1) == dimension, "baselines: the response maps {} pixels and the prior has {}.", response.matrix_MD.size(1), dimension);
  check<ShapeError>(y_BM.dim() == 2 && y_BM.size(0) > 0 && y_BM.size(1) == response.matrix_MD.size(0), "baselines: observations must be [B, {}].",
                    response.matrix_MD.size(0));
  check<ShapeError>(noise_B.dim() == 1 && noise_B.size(0) == y_BM.size(0), "baselines: {} observations need as many noise levels.", y_BM.size(0));
  check<DataError>((noise_B > 0).all().item<bool>() && noise_B.isfinite().all().item<bool>(), "baselines: noise levels must be finite and above 0.");
  check<DataError>(y_BM.isfinite().all().item<bool>(), "baselines: an observation holds NaN or infinity; mask or remove it first.");
}

}  // namespace

ExactPosterior exact_posterior(const NodePrior& prior, const AffineResponse& response, const at::Tensor& y_BM, const at::Tensor& sigma_B,
                               RandomKey key, const at::Tensor& ids_B) {
  check_observations(response, prior.dimension, y_BM, sigma_B);
  const std::int64_t B = y_BM.size(0), D = prior.dimension;
  check<ShapeError>(ids_B.dim() == 1 && ids_B.size(0) == B && ids_B.scalar_type() == at::kLong, "baselines: {} objects need as many int64 ids.", B);
  const at::Tensor ids = ids_B.contiguous();
  // Residuals are taken about one typical observation, so that |y|² − 2 y·h + |h|² does not cancel at high signal-to-noise ratio.
  const at::Tensor y_double = y_BM.to(at::kDouble);
  const at::Tensor origin_M = y_double.mean(0);
  const AffineResponse centred{response.matrix_MD, response.offset_M - origin_M};
  const at::Tensor y = y_double - origin_M, squares_B1 = y.square().sum(1, true), variance_B1 = sigma_B.to(at::kDouble).square().unsqueeze(1);

  Sums sums(B, D);
  Draw draw(B, prior.rank);
  at::Tensor origin_D = at::empty({D}, at::kDouble), unused = at::empty({D, prior.rank}, at::kDouble);
  prior.node(prior.nodes() / 2, origin_D.mutable_data_ptr<double>(), unused.mutable_data_ptr<double>());
  for (std::int64_t begin = 0; begin < prior.nodes(); begin += kNodeBlock) {
    const NodeBlock block = make_block(prior, centred, begin, std::min(begin + kNodeBlock, prior.nodes()));
    const Likelihood likelihood = evaluate(block, y, squares_B1, variance_B1);
    sums.add(block, likelihood, origin_D);
    draw.add(block, likelihood, begin, key, ids);
  }
  const at::Tensor mean_BD = sums.mean_BD / sums.total_B1;
  ExactPosterior result;
  result.variance_B = (sums.second_B / sums.total_B1.squeeze(1) - mean_BD.square().sum(1)) / static_cast<double>(D);
  result.log_evidence_B = (sums.maximum_B1 + sums.total_B1.log()).squeeze(1);
  result.mean_BD = (mean_BD + origin_D).to(at::kFloat);
  result.draw_BD = draw.signals(prior).to(at::kFloat);
  result.drawn_node_B = draw.node_B;
  return result;
}

at::Tensor linear_estimate(const Moments& clean, const AffineResponse& response, const at::Tensor& y_BM, const at::Tensor& noise_variance_B) {
  check_observations(response, clean.mean_D.size(0), y_BM, noise_variance_B);
  const at::Tensor& H = response.matrix_MD;
  const at::Tensor gain_MD = at::matmul(H, clean.covariance_DD);  // cov(y, x)
  const auto [eigenvalues_M, vectors_MM] = at::linalg_eigh(at::matmul(gain_MD, H.t()));
  const at::Tensor residual_BM = y_BM.to(at::kDouble) - (at::matmul(H, clean.mean_D) + response.offset_M);
  const at::Tensor scaled_BM = at::matmul(residual_BM, vectors_MM) / (eigenvalues_M.clamp_min(0) + noise_variance_B.to(at::kDouble).unsqueeze(1));
  return (at::matmul(scaled_BM, at::matmul(vectors_MM.t(), gain_MD)) + clean.mean_D).to(at::kFloat);
}

at::Tensor noise_from_snr(const AffineResponse& response, const at::Tensor& truth_BD, const at::Tensor& snr_B) {
  check<ShapeError>(truth_BD.dim() == 2 && truth_BD.size(1) == response.matrix_MD.size(1) && snr_B.dim() == 1 && snr_B.size(0) == truth_BD.size(0),
                    "baselines: truth must be [B, {}] with one signal-to-noise ratio an object.", response.matrix_MD.size(1));
  check<DataError>((snr_B > 0).all().item<bool>(), "baselines: signal-to-noise ratios must be above 0.");
  return (at::matmul(truth_BD.to(at::kDouble), response.matrix_MD.t()) + response.offset_M).abs().mean(1) / snr_B.to(at::kDouble);
}

}  // namespace unchannel::baselines
