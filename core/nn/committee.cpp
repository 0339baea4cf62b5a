#include <ATen/ATen.h>

#include <fmt/format.h>

#include "families.hpp"

// Shape legend: B batch · M members
namespace unchannel {
namespace {

NetworkInput select_rows(const NetworkInput& input, const at::Tensor& rows) {
  NetworkInput part = input;
  for (at::Tensor* tensor : {&part.x_BD, &part.t_B, &part.planes_BPS, &part.conditions_BC, &part.ids_B, &part.fold_B}) {
    if (tensor->defined()) *tensor = tensor->index_select(0, rows);
  }
  return part;
}

/// Networks of one architecture that learn from disjoint shares (folds) of the observations.
class Committee final : public Network {
 public:
  explicit Committee(std::vector<std::unique_ptr<Network>> members) : members_(std::move(members)) {}

  at::Tensor forward(const NetworkInput& input) override {
    if (!input.fold_B.defined()) return mean_without(-1, input);
    std::vector<at::Tensor> rows, outputs;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const auto fold = static_cast<std::int64_t>(m);
      rows.push_back(input.fold_B.eq(fold).nonzero().squeeze(1));
      if (rows.back().numel() == 0) continue;
      const NetworkInput part = select_rows(input, rows.back());
      outputs.push_back(input.training ? members_[m]->forward(part) : mean_without(fold, part));
    }
    return at::cat(outputs).index_select(0, at::cat(rows).argsort());
  }

  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    std::vector<std::pair<std::string, at::Tensor>> all;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      for (auto& [name, tensor] : members_[m]->parameters()) all.emplace_back(fmt::format("member{}.{}", m, name), tensor);
    }
    return all;
  }

 private:
  /// Mean output of all members but `excluded` (−1: of all).
  at::Tensor mean_without(std::int64_t excluded, const NetworkInput& input) {
    at::Tensor sum;
    double count = 0.0;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      if (static_cast<std::int64_t>(m) == excluded) continue;
      const at::Tensor output = members_[m]->forward(input);
      sum = sum.defined() ? sum + output : output;
      count += 1.0;
    }
    return sum / count;
  }

  std::vector<std::unique_ptr<Network>> members_;
};

}  // namespace

std::unique_ptr<Network> make_committee(const ModelSettings& settings, const NetworkShape& shape, RandomKey key) {
  ModelSettings single = settings;
  single.members = 1;
  std::vector<std::unique_ptr<Network>> members;
  for (std::int64_t m = 0; m < settings.members; ++m) {
    members.push_back(make_network(single, shape, m == 0 ? key : key.derive(static_cast<std::uint64_t>(m))));
  }
  return std::make_unique<Committee>(std::move(members));
}

}  // namespace unchannel
