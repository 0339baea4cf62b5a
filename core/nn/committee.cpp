#include <ATen/ATen.h>

#include <fmt/format.h>

#include "families.hpp"

// Shape legend: B batch · M members
namespace unchannel {
namespace {

NetworkInput select_rows(const NetworkInput& input, const at::Tensor& rows) {
  NetworkInput part = input;
  for (at::Tensor* tensor : {&part.x_BD, &part.t_B, &part.planes_BPS, &part.conditions_BC, &part.ids_B, &part.member_B}) {
    if (tensor->defined()) *tensor = tensor->index_select(0, rows);
  }
  return part;
}

/// Networks of one architecture, none of which learns from all observations.
class Committee final : public Network {
 public:
  explicit Committee(std::vector<std::unique_ptr<Network>> members) : members_(std::move(members)) {}

  at::Tensor forward(const NetworkInput& input) override {
    if (!input.member_B.defined()) return mean(input);
    std::vector<at::Tensor> rows, outputs;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      rows.push_back(input.member_B.eq(static_cast<std::int64_t>(m)).nonzero().squeeze(1));
      if (rows.back().numel() > 0) outputs.push_back(members_[m]->forward(select_rows(input, rows.back())));
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
  at::Tensor mean(const NetworkInput& input) {
    at::Tensor sum;
    for (const auto& member : members_) {
      const at::Tensor output = member->forward(input);
      sum = sum.defined() ? sum + output : output;
    }
    return sum / static_cast<double>(members_.size());
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
