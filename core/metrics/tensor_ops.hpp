#pragma once

// The tensor functions that sources of this folder use. ATen/ATen.h costs every file four times as long to compile; the folder's
// CMakeLists.txt sets AT_PER_OPERATOR_HEADERS, so that these headers do not pull it in again.
#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
