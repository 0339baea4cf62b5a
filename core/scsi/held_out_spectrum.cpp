#include "held_out_spectrum.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr double kSignificance = 3.0;
constexpr double kNeighbourFrequencies = 4.0;

/// Least-squares non-increasing sequence (pool adjacent violators).
std::vector<double> non_increasing(const std::vector<double>& values) {
  struct Block {
    double sum;
    std::size_t count;
    double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Block> blocks;
  for (const double value : values) {
    blocks.push_back({value, 1});
    while (blocks.size() > 1 && blocks.back().mean() > blocks[blocks.size() - 2].mean()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back().sum += last.sum;
      blocks.back().count += last.count;
    }
  }
  std::vector<double> result;
  for (const Block& block : blocks) result.insert(result.end(), block.count, block.mean());
  return result;
}

/// Orthonormal DCT-II, [frequency, element].
at::Tensor cosine_matrix(std::int64_t dimension) {
  const at::Tensor k_D1 = at::arange(dimension, at::kDouble).unsqueeze(1);
  const at::Tensor n_1D = at::arange(dimension, at::kDouble).unsqueeze(0) + 0.5;
  at::Tensor matrix_DD =
      (k_D1 * n_1D * (std::numbers::pi / static_cast<double>(dimension))).cos() * std::sqrt(2.0 / static_cast<double>(dimension));
  matrix_DD[0] *= std::sqrt(0.5);
  return matrix_DD;
}

/// Gaussian average down the columns, edges repeated, [D, D].
at::Tensor averaging_matrix(std::int64_t dimension, double width) {
  const auto radius = static_cast<std::int64_t>(std::ceil(4.0 * width));
  at::Tensor matrix_DD = at::zeros({dimension, dimension}, at::kDouble);
  auto out = matrix_DD.accessor<double, 2>();
  for (std::int64_t i = 0; i < dimension; ++i) {
    for (std::int64_t j = -radius; j <= radius; ++j) {
      out[i][std::clamp<std::int64_t>(i + j, 0, dimension - 1)] += std::exp(-0.5 * static_cast<double>(j * j) / (width * width));
    }
  }
  return matrix_DD / matrix_DD.sum(1, /*keepdim=*/true);
}

}  // namespace

Spectrum held_out_spectrum(const at::Tensor& y_ND, const at::Tensor& weight_N, const at::Tensor& level2_N, double smoothing,
                           std::int64_t rank, std::int64_t folds) {
  const at::Tensor fold_N = at::arange(y_ND.size(0), at::kLong).remainder(folds);
  at::Tensor variance_R = at::zeros({rank}, at::kDouble);
  double noise = 0.0;
  for (std::int64_t fold = 0; fold < folds; ++fold) {
    const at::Tensor inside = fold_N.eq(fold).nonzero().squeeze(1), outside = fold_N.ne(fold).nonzero().squeeze(1);
    const Moments others = weighted_moments(y_ND.index_select(0, outside), weight_N.index_select(0, outside));
    const at::Tensor basis_DR = leading_eigenvectors(smooth_along_diagonals(others.covariance_DD, smoothing), rank).vectors_DR;
    const at::Tensor w_F = weight_N.index_select(0, inside).to(at::kDouble);
    const at::Tensor share_F = w_F / w_F.sum();
    const double level2 = (share_F * level2_N.index_select(0, inside).to(at::kDouble)).sum().item<double>();
    at::Tensor q_FR = (y_ND.index_select(0, inside) - others.mean_D.to(at::kFloat)).matmul(basis_DR.to(at::kFloat)).to(at::kDouble);
    q_FR = q_FR - share_F.matmul(q_FR);
    variance_R += (share_F.matmul(q_FR.square()) - level2) / static_cast<double>(folds);
    noise += level2 / static_cast<double>(folds);
  }
  std::vector<double> variances(variance_R.data_ptr<double>(), variance_R.data_ptr<double>() + rank);
  variances = non_increasing(variances);
  const double least = kSignificance * noise * std::sqrt(2.0 / static_cast<double>(y_ND.size(0)));
  const auto kept = std::count_if(variances.begin(), variances.end(), [&](double value) { return value > least; });
  check<NumericalError>(kept > 0,
                        "no direction of the observations has a variance above {:.3g}, three times its sampling error; a linear "
                        "start is not possible. Use start.kind = \"observation\".",
                        least);
  variances.resize(static_cast<std::size_t>(kept));
  const Moments all = weighted_moments(y_ND, weight_N);
  Spectrum result = leading_eigenvectors(smooth_along_diagonals(all.covariance_DD, smoothing), kept);
  result.values_R = at::tensor(variances, at::kDouble);
  return result;
}

at::Tensor filter_basis(const at::Tensor& basis_DR) {
  const at::Tensor wide_DR = basis_DR.to(at::kDouble);
  const std::int64_t dimension = wide_DR.size(0);
  const std::int64_t window = std::clamp<std::int64_t>(dimension / 8, std::min<std::int64_t>(16, dimension), 1024),
                     hop = std::max<std::int64_t>(1, window / 4);
  const at::Tensor floor_1R = cosine_matrix(dimension).slice(0, dimension / 2).matmul(wide_DR).square().mean(0, /*keepdim=*/true);
  const at::Tensor cosine_WW = cosine_matrix(window), average_WW = averaging_matrix(window, kNeighbourFrequencies);
  // Applied twice, before and after the filter: together a Hann window.
  const at::Tensor taper_W1 =
      (at::arange(window, at::kDouble) + 0.5).mul(std::numbers::pi / static_cast<double>(window)).sin().unsqueeze(1);
  const double taper_power = taper_W1.square().mean().item<double>();
  const at::Tensor padded_PR = at::reflection_pad1d(wide_DR.t().contiguous(), {window - 1, window - 1}).t();
  at::Tensor sum_PR = at::zeros_like(padded_PR), weight_P1 = at::zeros({padded_PR.size(0), 1}, at::kDouble);
  for (std::int64_t begin = 0; begin + window <= padded_PR.size(0); begin += hop) {
    const at::Tensor transform_WR = cosine_WW.matmul(padded_PR.slice(0, begin, begin + window) * taper_W1);
    const at::Tensor power_WR = average_WW.matmul(transform_WR.square()).clamp_min(1e-300);
    const at::Tensor gain_WR = (1.0 - taper_power * floor_1R / power_WR).clamp(0.0, 1.0);
    sum_PR.slice(0, begin, begin + window) += cosine_WW.t().matmul(transform_WR * gain_WR) * taper_W1;
    weight_P1.slice(0, begin, begin + window) += taper_W1.square();
  }
  const at::Tensor filtered_DR = (sum_PR / weight_P1.clamp_min(1e-12)).slice(0, window - 1, window - 1 + dimension);
  // The variance measured along a noisy direction is that of the signal times cos² of their angle, and the filter leaves cos of it.
  return filtered_DR / filtered_DR.square().sum(0).clamp_min(1e-12);
}

}  // namespace unchannel
