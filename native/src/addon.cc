// What the addon exports; lib/native.ts holds the TypeScript view of it.
#include <napi.h>

#include <memory>
#include <unordered_map>

#include "bridge.h"
#include "connection.h"
#include "host_tools.h"
#include "operations.h"
#include "sockets.h"

namespace addon {

namespace {

// State of one JavaScript environment (main thread or worker thread).
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    DefineAddon(exports, {
                             InstanceMethod("start", &Addon::start),
                             InstanceMethod("open", &Addon::open),
                             InstanceMethod("call", &Addon::call),
                             InstanceMethod("abandon", &Addon::abandon),
                             InstanceMethod("close", &Addon::close),
                         });
    exports.Set("sdNotify", Napi::Function::New(env, sdNotify));
    exports.Set("lockFile", Napi::Function::New(env, lockFile));
    exports.Set("unlockFile", Napi::Function::New(env, unlockFile));
    exports.Set("listenTcp", Napi::Function::New(env, listenTcp));
    exports.Set("bindUdp", Napi::Function::New(env, bindUdp));
    exports.Set("socketPort", Napi::Function::New(env, socketPort));
  }

 private:
  // start(dispatch): once, before all else.
  void start(const Napi::CallbackInfo& info) {
    bridge_ = std::make_shared<Bridge>(info.Env(), info[0].As<Napi::Function>());
    // Runs before Node takes the thread-safe function down, so no thread posts into a dead environment.
    info.Env().AddCleanupHook([bridge = bridge_] { bridge->shut(); });
  }

  // open(connectionId, callId, uri, readOnly, keepAliveIntervalSeconds, keepAliveCount)
  void open(const Napi::CallbackInfo& info) {
    const uint32_t connectionId = id(info[0]);
    auto connection = std::make_shared<Connection>(connectionId, bridge_);
    const Arguments arguments({fromJs(info[2]), fromJs(info[3]), fromJs(info[4]), fromJs(info[5])});
    connections_.emplace(connectionId, connection);
    orThrow(info.Env(), [&] {
      connection->open(id(info[1]), {arguments.text(0), arguments.boolean(1), static_cast<int>(arguments.number(2)),
                                     arguments.flags(3)});
    });
  }

  // call(connectionId, callId, operation, arguments)
  void call(const Napi::CallbackInfo& info) {
    const std::string name = info[2].As<Napi::String>().Utf8Value();
    const Operation operation = findOperation(name);
    if (operation == nullptr) throw Napi::TypeError::New(info.Env(), "libvirt: no operation " + name);
    Arguments arguments(std::get<Array>(fromJs(info[3])));
    orThrow(info.Env(), [&] { find(info[0])->call(id(info[1]), operation, std::move(arguments)); });
  }

  // abandon(connectionId, callId): true when the call had not begun, and now never will.
  Napi::Value abandon(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), find(info[0])->abandon(id(info[1])));
  }

  // close(connectionId, callId): the id is not known afterwards.
  void close(const Napi::CallbackInfo& info) {
    const auto connection = find(info[0]);
    orThrow(info.Env(), [&] { connection->close(id(info[1])); });
    connections_.erase(id(info[0]));
  }

  static uint32_t id(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }

  std::shared_ptr<Connection> find(const Napi::Value& connectionId) const {
    const auto found = connections_.find(id(connectionId));
    if (found == connections_.end()) throw Napi::Error::New(connectionId.Env(), "libvirt: unknown connection");
    return found->second;
  }

  template <typename Work>
  static void orThrow(Napi::Env env, Work work) {
    try {
      work();
    } catch (const Napi::Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Napi::Error::New(env, std::string("libvirt: ") + error.what());
    }
  }

  using Connections = std::unordered_map<uint32_t, std::shared_ptr<Connection>>;

  std::shared_ptr<Bridge> bridge_;
  // Never destroyed: to close what is still open when the environment ends could hang the process on its way out.
  Connections& connections_ = *new Connections();
};

}  // namespace

NODE_API_ADDON(Addon)

}  // namespace addon
