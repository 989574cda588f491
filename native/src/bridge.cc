#include "bridge.h"

namespace addon {

namespace {

Napi::Value failureToJs(Napi::Env env, const std::optional<Failure>& failure) {
  if (!failure) return env.Null();
  return toJs(env, Object{{"code", failure->code},
                          {"domain", failure->domain},
                          {"level", failure->level},
                          {"message", failure->message}});
}

void deliver(napi_env rawEnv, napi_value dispatch, void*, void* data) {
  const std::unique_ptr<Message> message(static_cast<Message*>(data));
  if (rawEnv == nullptr) return;
  Napi::Env env(rawEnv);
  try {
    Napi::Function(env, dispatch)
        .Call({Napi::String::New(env, message->kind), Napi::Number::New(env, message->id),
               failureToJs(env, message->failure), toJs(env, message->value)});
  } catch (const Napi::Error& error) {
    // A listener threw: as with any event emitter, that is an uncaught exception of the program.
    napi_fatal_exception(env, error.Value());
  }
}

}  // namespace

Bridge::Bridge(Napi::Env env, Napi::Function dispatch) {
  const napi_status status =
      napi_create_threadsafe_function(env, dispatch, nullptr, Napi::String::New(env, "libvirt"), 0, 1, nullptr, nullptr,
                                      nullptr, deliver, &function_);
  if (status != napi_ok) throw Napi::Error::New(env, "libvirt: cannot make a thread-safe function");
  napi_unref_threadsafe_function(env, function_);
}

void Bridge::post(Message message) {
  auto data = std::make_unique<Message>(std::move(message));
  std::lock_guard lock(mutex_);
  if (!open_) return;
  if (napi_call_threadsafe_function(function_, data.get(), napi_tsfn_nonblocking) == napi_ok) data.release();
}

void Bridge::shut() {
  std::lock_guard lock(mutex_);
  open_ = false;
}

}  // namespace addon
