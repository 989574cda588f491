#include "bridge.h"

namespace addon {

namespace {

Value describe(const std::optional<Failure>& failure) {
  if (!failure) return {};
  return Object{{"code", failure->code},
                {"domain", failure->domain},
                {"level", failure->level},
                {"message", failure->message}};
}

// A listener threw: as with any event emitter, that is an uncaught exception of the program. While a worker thread is
// being terminated the "exception" is null, and there is nothing to report.
void reportException(napi_env env) {
  napi_value exception = nullptr;
  if (napi_get_and_clear_last_exception(env, &exception) != napi_ok) return;
  napi_valuetype type = napi_null;
  if (napi_typeof(env, exception, &type) == napi_ok && type != napi_null) napi_fatal_exception(env, exception);
}

void deliver(napi_env env, napi_value dispatch, void*, void* data) {
  const std::unique_ptr<Message> message(static_cast<Message*>(data));
  if (env == nullptr) return;
  napi_value receiver = nullptr;
  const napi_value arguments[] = {toJs(env, Value(message->kind)), toJs(env, Value(message->id)),
                                  toJs(env, describe(message->failure)), toJs(env, message->value)};
  for (const napi_value argument : arguments) {
    if (argument == nullptr) return;
  }
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  if (napi_call_function(env, receiver, dispatch, 4, arguments, nullptr) == napi_pending_exception) reportException(env);
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
