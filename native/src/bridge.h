// The way back into JavaScript: any thread posts a message, the JavaScript thread receives it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "failure.h"
#include "value.h"

namespace addon {

struct Message {
  // "settled" (id is a call's), "lifecycle", "ioError" or "closed" (id is a connection's).
  const char* kind;
  uint32_t id;
  std::optional<Failure> failure;
  Value value;
};

// One per JavaScript environment. It does not keep the process alive, and once the environment ends (exit, end of a
// worker thread) messages are dropped: calls may still hang then, and answer later.
class Bridge {
 public:
  // dispatch(kind, id, failure | null, value) is called for each message, in order of posting.
  Bridge(Napi::Env env, Napi::Function dispatch);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  void post(Message message);
  void shut();

 private:
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
  bool open_ = true;
};

}  // namespace addon
