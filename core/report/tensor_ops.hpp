#pragma once

// The tensor functions that sources of this folder use. ATen/ATen.h costs every file four times as long to compile; the folder's
// CMakeLists.txt sets AT_PER_OPERATOR_HEADERS, so that these headers do not pull it in again.
#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
