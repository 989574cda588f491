// Sockets that this process binds and another one serves: bare descriptors, since Node's own begin to accept at once.
#pragma once

#include <napi.h>

namespace addon {

// listenTcp(address: string, port: number, backlog: number): number (the descriptor)
Napi::Value listenTcp(const Napi::CallbackInfo& info);

// bindUdp(address: string, port: number): number (the descriptor)
Napi::Value bindUdp(const Napi::CallbackInfo& info);

// socketPort(descriptor: number): number
Napi::Value socketPort(const Napi::CallbackInfo& info);

}  // namespace addon
