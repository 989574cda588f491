// libvirt's errors as C++ exceptions.
#pragma once

#include <exception>
#include <string>

namespace addon {

// One error of libvirt, copied on the thread where it happened (libvirt keeps the last error per thread).
struct Failure : std::exception {
  int code = 0;
  int domain = 0;
  int level = 0;
  std::string message;

  const char* what() const noexcept override { return message.c_str(); }
};

// The calling thread's last libvirt error.
Failure lastFailure();

// A failure of this package's own, with one of libvirt's codes.
Failure ownFailure(int code, std::string message);

// What was thrown, as a Failure. Call inside a catch block.
Failure currentFailure();

// libvirt's two ways to say "failed": a negative number and a null pointer.
int check(int result);

template <typename T>
T* check(T* pointer) {
  if (pointer == nullptr) throw lastFailure();
  return pointer;
}

}  // namespace addon
