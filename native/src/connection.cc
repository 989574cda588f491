#include "connection.h"

#include <libvirt/virterror.h>

#include "event_loop.h"

namespace addon {

namespace {

// Owned by libvirt, which may still be calling back while the callback is taken back.
void freeSink(void* opaque) { delete static_cast<EventSink*>(opaque); }

// The callbacks run on the event loop's thread; they may use what the domain object holds, but call nothing remote.
void onLifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
  static_cast<const EventSink*>(opaque)->post("lifecycle", Object{{"uuid", uuidOf(domain)},
                                                                  {"name", virDomainGetName(domain)},
                                                                  {"event", event},
                                                                  {"detail", detail}});
}

void onIoError(virConnectPtr, virDomainPtr domain, const char* path, const char* device, int action, const char* reason,
               void* opaque) {
  static_cast<const EventSink*>(opaque)->post("ioError", Object{{"uuid", uuidOf(domain)},
                                                                {"name", virDomainGetName(domain)},
                                                                {"path", path},
                                                                {"device", device},
                                                                {"action", action},
                                                                {"reason", reason}});
}

void onClose(virConnectPtr, int reason, void* opaque) { static_cast<const EventSink*>(opaque)->post("closed", reason); }

bool lastErrorIsNoSupport() { return virGetLastErrorCode() == VIR_ERR_NO_SUPPORT; }

}  // namespace

struct Connection::Lease {
  explicit Lease(Connection& from) : owner(from), connection(from.lease()) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { owner.giveBack(std::move(connection)); }

  Connection& owner;
  ConnectionRef connection;
};

template <typename Work>
void Connection::settle(uint32_t callId, Work work) {
  try {
    bridge_->post({"settled", callId, std::nullopt, work()});
  } catch (...) {
    bridge_->post({"settled", callId, currentFailure(), {}});
  }
}

void Connection::open(uint32_t callId, OpenOptions options) {
  options_ = std::move(options);
  shared_ = options_.uri.rfind("test:", 0) == 0;
  pool_->post(callId, [self = shared_from_this(), callId] {
    self->settle(callId, [&]() -> Value {
      self->openNow();
      return {};
    });
  });
}

void Connection::call(uint32_t callId, Operation operation, Arguments arguments) {
  pool_->post(callId, [self = shared_from_this(), callId, operation, arguments = std::move(arguments)] {
    self->settle(callId, [&] {
      const Lease lease(*self);
      return operation(lease.connection.get(), arguments);
    });
  });
}

void Connection::close(uint32_t callId) {
  pool_->postUrgent(callId, [self = shared_from_this(), callId] {
    self->settle(callId, [&]() -> Value {
      self->closeNow();
      return {};
    });
  });
}

ConnectionRef Connection::openAnother() const {
  ConnectionRef connection(
      check(virConnectOpenAuth(options_.uri.c_str(), nullptr, options_.readOnly ? VIR_CONNECT_RO : 0)));
  if (options_.keepAliveIntervalSeconds > 0 &&
      virConnectSetKeepAlive(connection.get(), options_.keepAliveIntervalSeconds, options_.keepAliveCount) < 0 &&
      !lastErrorIsNoSupport()) {
    throw lastFailure();
  }
  return connection;
}

void Connection::openNow() {
  startEventLoop();
  ConnectionRef connection = openAnother();
  try {
    subscribe(connection.get());
  } catch (...) {
    unsubscribe(connection.get());
    throw;
  }

  {
    std::lock_guard lock(mutex_);
    main_ = connection.get();
    open_ = true;
    if (!closed_) {
      idle_.push_back(std::move(connection));
      return;
    }
  }
  discard(std::move(connection));
  pool_->finish();
}

// A driver without events is still usable: whoever relies on events polls as well.
void Connection::subscribe(virConnectPtr connection) {
  // This sink stays ours: libvirt accepts, and forgets, it for drivers that never close by themselves. Taking the
  // callback back waits for a call of it that runs.
  if (virConnectRegisterCloseCallback(connection, onClose, &closeSink_, nullptr) < 0 && !lastErrorIsNoSupport()) {
    throw lastFailure();
  }
  const auto subscribeTo = [&](int eventId, virConnectDomainEventGenericCallback callback) {
    auto* eventSink = new EventSink{bridge_, id_};
    const int callbackId = virConnectDomainEventRegisterAny(connection, nullptr, eventId, callback, eventSink, freeSink);
    if (callbackId < 0) {
      delete eventSink;
      if (!lastErrorIsNoSupport()) throw lastFailure();
    }
    return callbackId;
  };
  lifecycleCallback_ = subscribeTo(VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(onLifecycle));
  ioErrorCallback_ = subscribeTo(VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, VIR_DOMAIN_EVENT_CALLBACK(onIoError));
}

// libvirt counts each callback as a reference: without taking them back, closing would close nothing. Failures do not
// matter, since a dead connection forgets its callbacks locally first.
void Connection::unsubscribe(virConnectPtr connection) {
  if (lifecycleCallback_ >= 0) virConnectDomainEventDeregisterAny(connection, lifecycleCallback_);
  if (ioErrorCallback_ >= 0) virConnectDomainEventDeregisterAny(connection, ioErrorCallback_);
  virConnectUnregisterCloseCallback(connection, onClose);
}

void Connection::closeNow() {
  std::vector<ConnectionRef> idle;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    idle.swap(idle_);
  }
  for (auto& connection : idle) discard(std::move(connection));
  pool_->finish();
}

ConnectionRef Connection::lease() {
  {
    std::lock_guard lock(mutex_);
    if (!open_ || closed_) throw ownFailure(VIR_ERR_INVALID_CONN, "the connection is closed");
    if (shared_) {
      check(virConnectRef(main_));
      return ConnectionRef(main_);
    }
    if (!idle_.empty()) {
      ConnectionRef connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return openAnother();
}

void Connection::giveBack(ConnectionRef connection) {
  if (shared_) return;
  {
    std::lock_guard lock(mutex_);
    // The main one is kept for its events even when it is broken: its close callback says so.
    const bool usable = connection.get() == main_ || virConnectIsAlive(connection.get()) == 1;
    if (!closed_ && usable) {
      idle_.push_back(std::move(connection));
      return;
    }
  }
  discard(std::move(connection));
}

// Nobody else uses it by now.
void Connection::discard(ConnectionRef connection) {
  if (connection.get() == main_) unsubscribe(connection.get());
}

}  // namespace addon
