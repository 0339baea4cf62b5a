#include "tensors.hpp"

#include <ATen/ATen.h>

#include <Eigen/Cholesky>
#include <unchannel/transport/solver.hpp>

namespace unchannel::verification {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

at::Tensor tensor_of(const theory::Matrix& matrix) {
  RowMajor copy = matrix;
  return at::from_blob(copy.data(), {copy.rows(), copy.cols()}, at::kDouble).clone();
}

at::Tensor tensor_of(const theory::Vector& vector) {
  theory::Vector copy = vector;
  return at::from_blob(copy.data(), {copy.size()}, at::kDouble).clone();
}

at::Tensor root_of(const theory::Matrix& covariance_DD) { return tensor_of(theory::Matrix(covariance_DD.llt().matrixL())); }

theory::Gaussian moments_of(const at::Tensor& x_ND) {
  const at::Tensor wide_ND = x_ND.to(at::kDouble), mean_D = wide_ND.mean(0).contiguous(), centred_ND = wide_ND - mean_D;
  const at::Tensor covariance_DD = (centred_ND.t().matmul(centred_ND) / static_cast<double>(x_ND.size(0))).contiguous();
  theory::Gaussian law;
  law.mean_D = Eigen::Map<const theory::Vector>(mean_D.const_data_ptr<double>(), mean_D.size(0));
  law.covariance_DD = Eigen::Map<const RowMajor>(covariance_DD.const_data_ptr<double>(), mean_D.size(0), mean_D.size(0));
  return law;
}

at::Tensor standardised_draws(const theory::Gaussian& law, std::int64_t rows, RandomKey key) {
  const at::Tensor z_ND = normal_rows(key, at::arange(rows, at::kLong), law.mean_D.size()).to(at::kDouble);
  const theory::Gaussian drawn = moments_of(z_ND);
  const at::Tensor white_ND =
      at::linalg_solve_triangular(root_of(drawn.covariance_DD), (z_ND - tensor_of(drawn.mean_D)).t(), /*upper=*/false).t();
  return (white_ND.matmul(root_of(law.covariance_DD).t()) + tensor_of(law.mean_D)).to(at::kFloat).contiguous();
}

}  // namespace unchannel::verification
