#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include <unchannel/data/dataset.hpp>

// Shape legend: N objects · S draws · D pixels
namespace unchannel {

/// Draws of one object in a row of `reader`: S of [S, D] rows, 1 where a row is one signal of `dim` elements.
std::int64_t draws_of_row(const DatasetReader& reader, std::uint64_t dim);

/// What several draws of each object say beside the first one, against the truth [N, D] of the same rows: error of their mean, their spread, and the
/// shares of truths inside their central 50 and 90 % intervals, with bootstrap standard errors over objects. Read block by block. DataError, ShapeError.
nlohmann::json evaluate_draws(const DatasetReader& reader, const at::Tensor& truth_ND);

/// Prints it in one sentence.
void print_draws(const nlohmann::json& draws);

}  // namespace unchannel
