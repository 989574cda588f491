// Threads of one connection. A thread that hangs in libvirt holds nothing but itself: others are added up to a limit,
// none is ever joined, and the process may exit while they hang.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace addon {

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  // Must not throw.
  using Job = std::function<void()>;

  // Throws std::runtime_error when no thread can be had to run it.
  void post(uint32_t callId, Job job);

  // For the closing call: goes first, and may have a thread above the limit because the others may all hang.
  void postUrgent(uint32_t callId, Job job);

  // True when the job was still waiting: it is forgotten and will never run.
  bool abandon(uint32_t callId);

  // Lets idle threads end at once instead of waiting for more work.
  void finish();

 private:
  static constexpr unsigned kThreadLimit = 16;
  // All connections together. A hung daemon costs a thread for each reopening; this is where it stops.
  static constexpr unsigned kProcessThreadLimit = 256;
  static constexpr std::chrono::seconds kIdleLifetime{30};

  struct Entry {
    uint32_t callId;
    Job job;
  };

  void add(Entry entry, bool urgent);
  bool startThread();
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> waiting_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
  bool finished_ = false;
};

}  // namespace addon
