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

template <typename Work>
void Connection::settle(uint32_t callId, Work work) {
  try {
    bridge_->post({"settled", callId, std::nullopt, work()});
  } catch (...) {
    bridge_->post({"settled", callId, currentFailure(), {}});
  }
}

void Connection::open(uint32_t callId, OpenOptions options) {
  pool_->post(callId, [self = shared_from_this(), callId, options = std::move(options)] {
    self->settle(callId, [&]() -> Value {
      self->openNow(options);
      return {};
    });
  });
}

void Connection::call(uint32_t callId, Operation operation, Arguments arguments) {
  pool_->post(callId, [self = shared_from_this(), callId, operation, arguments = std::move(arguments)] {
    self->settle(callId, [&] { return operation(self->acquire().get(), arguments); });
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

void Connection::openNow(const OpenOptions& options) {
  startEventLoop();
  ConnectionRef connection(
      check(virConnectOpenAuth(options.uri.c_str(), nullptr, options.readOnly ? VIR_CONNECT_RO : 0)));
  if (options.keepAliveIntervalSeconds > 0 &&
      virConnectSetKeepAlive(connection.get(), options.keepAliveIntervalSeconds, options.keepAliveCount) < 0 &&
      !lastErrorIsNoSupport()) {
    throw lastFailure();
  }
  try {
    subscribe(connection.get());
  } catch (...) {
    unsubscribe(connection.get());
    throw;
  }

  bool closedMeanwhile;
  {
    std::lock_guard lock(mutex_);
    connection_ = std::move(connection);
    closedMeanwhile = closed_;
  }
  if (closedMeanwhile) closeNow();
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
  ConnectionRef connection;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    connection = std::move(connection_);
  }
  if (connection) unsubscribe(connection.get());
  pool_->finish();
}

ConnectionRef Connection::acquire() {
  std::lock_guard lock(mutex_);
  if (!connection_) throw ownFailure(VIR_ERR_INVALID_CONN, "the connection is closed");
  check(virConnectRef(connection_.get()));
  return ConnectionRef(connection_.get());
}

}  // namespace addon
