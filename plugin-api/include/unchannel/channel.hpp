// unchannel/channel.hpp: the C++20 SDK over channel.h. Licence: Apache-2.0. Header only; include it and nothing else.
//
// A channel is a class that derives from unchannel::sdk::Channel, declares its parameters and latents as members and overrides configure
// and simulate (and draw_latents, unless it has no latents). Optional capabilities are plain const member functions; those that exist are
// offered:
//
//     void lift(const sdk::LiftCall&) const;          void mean(const sdk::MeanCall&) const;
//     void vjp(const sdk::VjpCall&) const;            void jvp(const sdk::JvpCall&) const;
//     void adjoint(const sdk::AdjointCall&) const;    void loglik(const sdk::LoglikCall&) const;
//     bool offers(std::string_view extension_id) const;   // optional: says no where the configuration in force forbids one of them
//
// CUDA (cuda/1): a class with these three gets CUDA batches in the functions above, too, where call.on_cuda() tells; it enqueues on
// call.batch().stream and returns.
//
//     uint64_t cuda_operations() const;               // UNCHANNEL_CUDA_*: the calls that accept CUDA tensors
//     void cuda_prepare(int32_t device);              // tables and plans for this device; throws bad_argument where there is none
//     void cuda_release(int32_t device) noexcept;
//
// The class has a `static constexpr unchannel_descriptor kDescriptor`. One UNCHANNEL_MODULE(MyChannel, …) ends the file.
//
// Every configure builds a new object, so a refused configuration changes nothing without any care of the author. Calls are const: with
// UNCHANNEL_THREADS_REENTRANT in the descriptor they may run concurrently. Report errors by throwing sdk::bad_argument("…") and the like.
#ifndef UNCHANNEL_CHANNEL_HPP
#define UNCHANNEL_CHANNEL_HPP

#include <unchannel/channel.h>
#include <unchannel/random.h>
#include <unchannel/sdk/call.hpp>
#include <unchannel/sdk/cuda.hpp>
#include <unchannel/sdk/declare.hpp>
#include <unchannel/sdk/error.hpp>
#include <unchannel/sdk/module.hpp>

#endif
