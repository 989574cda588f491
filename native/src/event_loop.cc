#include "event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "failure.h"

namespace addon {

namespace {

void ignoreError(void*, virErrorPtr) {}

void runForEver() {
  pthread_setname_np(pthread_self(), "libvirt-events");
  for (;;) {
    // It fails only when poll() itself does; do not let that eat a processor.
    if (virEventRunDefaultImpl() < 0) std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

void startEventLoop() {
  static std::once_flag once;
  std::call_once(once, [] {
    check(virInitialize());
    virSetErrorFunc(nullptr, ignoreError);
    check(virEventRegisterDefaultImpl());
    // Started from a worker, so with all signals blocked as there.
    std::thread(runForEver).detach();
  });
}

}  // namespace addon
