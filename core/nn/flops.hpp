#pragma once

#include <functional>

namespace unchannel {

/// Floating-point operations of the matrix products, convolutions and attentions that `run` does on this thread: two for each
/// multiply-add of the operations' shapes, an attention as its two products. Normalisations, activations and sums are left out, and
/// so is a backward pass, which costs twice its forward pass. Counted while it runs, so no architecture has to be described twice.
double count_flops(const std::function<void()>& run);

}  // namespace unchannel
