// Two small things a daemon needs that Node has not: datagrams to systemd, and file locks that die with their holder.
#pragma once

#include <napi.h>

namespace addon {

// sdNotify(socketPath: string, state: string): void
void sdNotify(const Napi::CallbackInfo& info);

// lockFile(path: string): number (the open file's descriptor)
Napi::Value lockFile(const Napi::CallbackInfo& info);

// unlockFile(descriptor: number): void
void unlockFile(const Napi::CallbackInfo& info);

}  // namespace addon
