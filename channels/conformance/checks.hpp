#pragma once

#include <nlohmann/json.hpp>

#include "request.hpp"

// The bodies of the checks; what each shows is in check_table.cpp.
namespace unchannel::conformance {

void check_elf_exports(const CheckRequest& request, nlohmann::json& detail);
void check_elf_needed(const CheckRequest& request, nlohmann::json& detail);
void check_load_now_local(const CheckRequest& request, nlohmann::json& detail);
void check_scan_cost(const CheckRequest& request, nlohmann::json& detail);
void check_fp_environment(const CheckRequest& request, nlohmann::json& detail);
void check_abi_sizes(const CheckRequest& request, nlohmann::json& detail);
void check_unknown_id(const CheckRequest& request, nlohmann::json& detail);
void check_descriptor(const CheckRequest& request, nlohmann::json& detail);
void check_parameter_schema(const CheckRequest& request, nlohmann::json& detail);
void check_parameter_bounds(const CheckRequest& request, nlohmann::json& detail);
void check_parameter_reject(const CheckRequest& request, nlohmann::json& detail);
void check_config_round_trip(const CheckRequest& request, nlohmann::json& detail);
void check_shape_negotiation(const CheckRequest& request, nlohmann::json& detail);
void check_lifecycle_2000(const CheckRequest& request, nlohmann::json& detail);
void check_init_twice(const CheckRequest& request, nlohmann::json& detail);
void check_output_complete(const CheckRequest& request, nlohmann::json& detail);
void check_guard_pages(const CheckRequest& request, nlohmann::json& detail);
void check_no_retain(const CheckRequest& request, nlohmann::json& detail);
void check_repeat_bitwise(const CheckRequest& request, nlohmann::json& detail);
void check_seed_sensitivity(const CheckRequest& request, nlohmann::json& detail);
void check_batch_split(const CheckRequest& request, nlohmann::json& detail);
void check_thread_class(const CheckRequest& request, nlohmann::json& detail);
void check_latent_prior(const CheckRequest& request, nlohmann::json& detail);
void check_cpu_gpu_parity(const CheckRequest& request, nlohmann::json& detail);
void check_stream_order(const CheckRequest& request, nlohmann::json& detail);
void check_derivative_dot(const CheckRequest& request, nlohmann::json& detail);
void check_loglik_score(const CheckRequest& request, nlohmann::json& detail);
void check_error_and_cancel(const CheckRequest& request, nlohmann::json& detail);
void check_isolated_parity(const CheckRequest& request, nlohmann::json& detail);

}  // namespace unchannel::conformance
