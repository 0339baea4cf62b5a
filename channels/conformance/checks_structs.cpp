// How the plugin reads what grows and answers what it does not know: abi-sizes, unknown-id.
#include <array>
#include <cstring>
#include <unchannel/plugin_host/parameters.hpp>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

struct Form {
  StructForm form;
  const char* what;
};
constexpr std::array kRefused = {Form{StructForm::too_short, "a struct_size below that of ABI 1.0"},
                                 Form{StructForm::chained, "a chain pointer that is not NULL"}};

void expect_refused(const CallResult& result, Operation operation, const char* which, const char* what) {
  check<CheckFailed>(result.status == UNCHANNEL_BAD_ARGUMENT, "{}: {} with {} is answered {}; BAD_ARGUMENT is due.",
                     operation_name(operation), which, what, status_name(result.status));
}

/// configure alone has two structs and writes into one of them.
template <class Change>
std::int32_t configure_with(Subject& subject, Instance& instance, const ChannelShape& shape, Change change) {
  const std::vector<nlohmann::json> values = subject.values();
  const auto raw = to_values(subject.description().parameters, values);
  std::vector<const unchannel_value*> pointers;
  for (const auto& value : raw) pointers.push_back(&value);
  std::vector<unchannel_latent_shape> shapes(subject.description().latents.size());
  std::vector<unchannel_latent_shape*> shape_pointers;
  for (auto& latent : shapes) shape_pointers.push_back(&latent);
  struct {
    unchannel_configure_args args;
    unsigned char tail[64];
  } in{};
  struct {
    unchannel_configure_result result;
    unsigned char tail[64];
  } out{};
  std::memset(in.tail, 0xDB, sizeof in.tail);
  std::memset(out.tail, 0xDB, sizeof out.tail);
  in.args.struct_size = sizeof in.args;
  in.args.x_shape = shape.data();
  in.args.x_ndim = static_cast<std::int32_t>(shape.size());
  in.args.value_count = static_cast<std::uint32_t>(raw.size());
  in.args.values = pointers.data();
  out.result.struct_size = sizeof out.result;
  out.result.latent_shapes = shape_pointers.data();
  out.result.latent_count = static_cast<std::uint32_t>(shapes.size());
  change(in.args, out.result);
  const std::int32_t status = subject.core().configure(instance.raw(), &in.args, &out.result);
  for (const unsigned char byte : out.tail) check<CheckFailed>(byte == 0xDB, "configure writes behind the fields of result that it knows.");
  return status;
}

void check_configure(Subject& subject, const ChannelShape& shape) {
  const auto expect = [&](std::int32_t wanted, const char* what, auto change) {
    const auto instance = subject.create();
    const std::int32_t got = configure_with(subject, *instance, shape, change);
    check<CheckFailed>(got == wanted, "configure with {} answers {}; {} is due.", what, status_name(got), status_name(wanted));
  };
  static const int kChain = 0;
  using Args = unchannel_configure_args;
  using Result = unchannel_configure_result;
  expect(UNCHANNEL_OK, "longer structs than ABI 1.0 has", [](Args& a, Result& r) { a.struct_size += 64, r.struct_size += 64; });
  expect(UNCHANNEL_BAD_ARGUMENT, "args.struct_size below ABI 1.0", [](Args& a, Result&) { a.struct_size -= 8; });
  expect(UNCHANNEL_BAD_ARGUMENT, "result.struct_size below ABI 1.0", [](Args&, Result& r) { r.struct_size -= 8; });
  expect(UNCHANNEL_BAD_ARGUMENT, "a chain pointer in args", [](Args& a, Result&) { a.next = &kChain; });
  expect(UNCHANNEL_BAD_ARGUMENT, "a chain pointer in result", [](Args&, Result& r) { r.next = &kChain; });
}

}  // namespace

void check_abi_sizes(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = make_batch(*instance, 3);
  check_configure(subject, instance->layout().x_shape);
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  for (const Operation operation : offered_operations(*instance)) {
    const CallResult plain = call_ok(*instance, operation, batch);
    const CallResult longer = call(*instance, operation, batch, {.batch_form = StructForm::longer, .args_form = StructForm::longer});
    check<CheckFailed>(longer.status == UNCHANNEL_OK, "{}: longer structs than ABI 1.0 has are answered {}; their tail must be ignored.",
                       operation_name(operation), status_name(longer.status));
    const std::string changed = comparable ? difference(operation, plain, longer) : "";
    check<CheckFailed>(changed.empty(), "the tail of a longer struct changes the result: {}.", changed);
    for (const Form& refused : kRefused) {
      expect_refused(call(*instance, operation, batch, {.batch_form = refused.form}), operation, "batch", refused.what);
      expect_refused(call(*instance, operation, batch, {.args_form = refused.form}), operation, "args", refused.what);
    }
  }
  detail["operations"] = offered_operations(*instance).size();
}

void check_unknown_id(const CheckRequest& request, nlohmann::json&) {
  static constexpr std::array kUnknown = {"", "core", "core/2", "simulate/1", "x-unchannel-check/1", "mean/1 ", "MEAN/1"};
  Subject subject(request);
  const unchannel_module& module = subject.module();
  const std::uint32_t channels = module.channel_count();
  check<CheckFailed>(module.channel_descriptor(channels) == nullptr, "channel_descriptor({}) is not NULL; there are {} channels.", channels,
                     channels);
  check<CheckFailed>(module.get_table(channels, UNCHANNEL_CORE_1) == nullptr,
                     "get_table({}, \"core/1\") is not NULL; there are {} channels.", channels, channels);
  const auto instance = subject.configured();
  for (const char* id : kUnknown) {
    check<CheckFailed>(module.get_table(subject.index(), id) == nullptr, "get_table(\"{}\") is not NULL.", id);
    check<CheckFailed>(instance->extension<void>(id) == nullptr, "get_extension(\"{}\") is not NULL.", id);
  }
  const auto parameters = static_cast<std::uint32_t>(subject.description().parameters.size());
  const auto latents = static_cast<std::uint32_t>(subject.description().latents.size());
  check<CheckFailed>(subject.core().parameter(instance->raw(), parameters) == nullptr, "parameter({}) is not NULL; there are {}.",
                     parameters, parameters);
  check<CheckFailed>(subject.core().latent(instance->raw(), latents) == nullptr, "latent({}) is not NULL; there are {}.", latents, latents);

  subject.host().offer_services(false);
  const auto bare = subject.configured();
  make_batch(*bare, 3);
}

}  // namespace unchannel::conformance
