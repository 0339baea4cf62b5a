// What of a training survives it: written at every checkpoint, read by a resume.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/distributed/agreement.hpp>
#include <unchannel/nn/device.hpp>

#include "trained_model.hpp"
#include "trainer.hpp"

namespace unchannel {

void Trainer::resume() {
  share_checkpoint();
  together(ranks_, [&] { resume_here(); });
}

void Trainer::resume_here() {
  const TensorFile file = read_tensor_file(folder_.checkpoint_path());
  try {
    const nlohmann::json text = nlohmann::json::parse(file.text);
    model_.emplace(load_model(file, settings_.model, settings_.interpolant));
    latent_start_ = load_latent_start(file);
    student_ = model_->make_network(RandomKey(0));
    ema_ = model_->make_network(RandomKey(0));
    for (auto& [name, tensor] : student_->parameters()) at::Tensor(tensor).set_requires_grad(true);
    load_weights(file, "student.", *student_);
    load_weights(file, "ema.", *ema_);
    optimiser_ = std::make_unique<Optimiser>(settings_.optimiser, *student_, *ema_);
    load_moments(file, *optimiser_);
    step_ = text.at("step");
    network_calls_ = text.at("network_calls");
    refreshed_at_ = text.at("refreshed_at");
    loss_average_ = text.at("loss_average");
    memorised_evaluations_ = text.at("memorised_evaluations");
    watch_ = Stopwatch(text.at("elapsed_s").get<double>());
    optimiser_->set_updates(step_);
    observations_.restore(text.at("stream").get<StreamPosition>());
    pool_.restore(tensors_under(file, "pool."));
    if (const std::string before = text.value("device", "cpu"), now = device_named(settings_.model.device).str(); before != now) {
      say(fmt::format("warning: the checkpoint was written on the device {}, the network is on {} now; results will differ in the last bits", before, now));
    }
    if (const int before = text.value("ranks", 1); before != ranks_.size()) {
      say(fmt::format("warning: the checkpoint was written by {} ranks, this job has {}; results will differ in the last bits", before, ranks_.size()));
    }
    if (text.at("threads") != at::get_num_threads()) {
      say(fmt::format("warning: the checkpoint was written with {} threads, this process has {}; results will differ in the last bits",
                      text.at("threads").get<int>(), at::get_num_threads()));
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}.", folder_.checkpoint_path().string(), error.what()));
  } catch (const std::out_of_range&) {
    throw DataError(fmt::format("{}: a tensor is missing; it was written by another version. Start a new run or resume with that version.",
                                folder_.checkpoint_path().string()));
  }
  begin_steps();
  folder_.cut_metrics(step_);
}

void Trainer::write_checkpoint() const {
  TensorFile file;
  file.text = nlohmann::json({{"step", step_},
                              {"network_calls", network_calls_},
                              {"refreshed_at", refreshed_at_},
                              {"loss_average", loss_average_},
                              {"memorised_evaluations", memorised_evaluations_},
                              {"elapsed_s", watch_.elapsed_s()},
                              {"threads", at::get_num_threads()},
                              {"ranks", ranks_.size()},
                              {"device", device_named(settings_.model.device).str()},
                              {"stream", observations_.position()}})
                  .dump();
  store_model(*model_, file);
  if (latent_start_) store_latent_start(*latent_start_, file);
  store_weights(*student_, "student.", file);
  store_weights(*ema_, "ema.", file);
  store_moments(*optimiser_, file);
  for (const auto& [name, tensor] : pool_.tensors()) file.tensors["pool." + name] = tensor;
  write_tensor_file(folder_.checkpoint_path(), file);
}

}  // namespace unchannel
