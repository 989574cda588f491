#include "pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace addon {

namespace {

std::atomic<unsigned> processThreads{0};

}  // namespace

void Pool::post(uint32_t callId, Job job) { add({callId, std::move(job)}, false); }

void Pool::postUrgent(uint32_t callId, Job job) { add({callId, std::move(job)}, true); }

bool Pool::abandon(uint32_t callId) {
  std::lock_guard lock(mutex_);
  const auto entry =
      std::find_if(waiting_.begin(), waiting_.end(), [callId](const Entry& e) { return e.callId == callId; });
  if (entry == waiting_.end()) return false;
  waiting_.erase(entry);
  return true;
}

void Pool::finish() {
  std::lock_guard lock(mutex_);
  finished_ = true;
  wake_.notify_all();
}

void Pool::add(Entry entry, bool urgent) {
  std::lock_guard lock(mutex_);
  const unsigned limit = kThreadLimit + (urgent ? 1 : 0);
  const bool enoughIdle = waiting_.size() < idle_;
  if (!enoughIdle && threads_ < limit && !startThread() && threads_ == 0) {
    throw std::runtime_error("no thread for the call: " + std::to_string(processThreads.load()) +
                             " of at most " + std::to_string(kProcessThreadLimit) +
                             " are in use by calls to libvirt, or the system gives no more");
  }
  if (urgent) {
    waiting_.push_front(std::move(entry));
  } else {
    waiting_.push_back(std::move(entry));
  }
  wake_.notify_one();
}

// Call with mutex_ held.
bool Pool::startThread() {
  if (processThreads.fetch_add(1) >= kProcessThreadLimit) {
    processThreads.fetch_sub(1);
    return false;
  }
  // Signals are for Node's own threads: a thread inherits the mask of the one that starts it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    std::thread([self = shared_from_this()] { self->work(); }).detach();
    threads_++;
  } catch (const std::system_error&) {
    processThreads.fetch_sub(1);
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

void Pool::work() {
  pthread_setname_np(pthread_self(), "libvirt-call");
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!waiting_.empty()) {
      Job job = std::move(waiting_.front().job);
      waiting_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
      continue;
    }
    if (finished_) break;
    idle_++;
    const bool woken = wake_.wait_for(lock, kIdleLifetime, [this] { return !waiting_.empty() || finished_; });
    idle_--;
    if (!woken) break;
  }
  threads_--;
  processThreads.fetch_sub(1);
}

}  // namespace addon
