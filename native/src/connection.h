// One connection to a hypervisor, its threads and its events.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge.h"
#include "handles.h"
#include "operations.h"
#include "pool.h"

namespace addon {

// Where the events of one connection go.
struct EventSink {
  std::shared_ptr<Bridge> bridge;
  uint32_t connectionId;

  void post(const char* kind, Value value) const { bridge->post({kind, connectionId, std::nullopt, std::move(value)}); }
};

struct OpenOptions {
  std::string uri;
  bool readOnly;
  // 0 turns keep-alive off.
  int keepAliveIntervalSeconds;
  unsigned keepAliveCount;
};

// Must be closed before it is destroyed. Every call answers with one "settled" message for its callId, however late, unless it was abandoned before it began.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(uint32_t id, std::shared_ptr<Bridge> bridge)
      : id_(id), bridge_(std::move(bridge)), closeSink_{bridge_, id_} {}

  void open(uint32_t callId, OpenOptions options);
  void call(uint32_t callId, Operation operation, Arguments arguments);
  bool abandon(uint32_t callId) { return pool_->abandon(callId); }

  // Calls in flight go on with what they have leased. A connection that is still being opened is closed once it is.
  void close(uint32_t callId);

 private:
  struct Lease;

  template <typename Work>
  void settle(uint32_t callId, Work work);
  void openNow();
  ConnectionRef openAnother() const;
  void subscribe(virConnectPtr connection);
  void unsubscribe(virConnectPtr connection);
  void closeNow();
  ConnectionRef lease();
  void giveBack(ConnectionRef connection);
  void discard(ConnectionRef connection);

  const uint32_t id_;
  const std::shared_ptr<Bridge> bridge_;
  EventSink closeSink_;
  const std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();

  // Written once, before the first call.
  OpenOptions options_;
  // libvirt's client may crash when threads share a connection (CVE-2024-4418, in libvirt before 10.3.0: the one that
  // waits for the socket leaves a pointer to its stack behind). So each call has one to itself: the main one, which
  // events come by, or another, opened when all there are were in use and kept for the next call. Drivers in this
  // process have no such client, and may keep their machines by connection: there all calls share the main one.
  bool shared_ = false;

  std::mutex mutex_;
  virConnectPtr main_ = nullptr;
  std::vector<ConnectionRef> idle_;
  bool open_ = false;
  bool closed_ = false;
  int lifecycleCallback_ = -1;
  int ioErrorCallback_ = -1;
};

}  // namespace addon
