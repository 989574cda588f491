// An open file or socket that is closed when it goes out of scope, and the errors of system calls as Node has them.
#pragma once

#include <napi.h>
#include <unistd.h>

#include <string>

namespace addon {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

// An error with the fields of Node's own: code, errno, syscall, path. `subject` is the path or address it is about.
Napi::Error systemError(Napi::Env env, int number, const char* syscall, const std::string& subject);

}  // namespace addon
