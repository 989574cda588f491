#include "host_tools.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace addon {

namespace {

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

// An error with the fields of Node's own: code, errno, syscall, path.
Napi::Error systemError(Napi::Env env, int number, const char* syscall, const std::string& path) {
  const char* code = strerrorname_np(number);
  const std::string name = code != nullptr ? code : std::to_string(number);
  Napi::Error error = Napi::Error::New(env, name + ": " + strerror(number) + ", " + syscall + " '" + path + "'");
  error.Set("code", name);
  error.Set("errno", Napi::Number::New(env, -number));
  error.Set("syscall", syscall);
  error.Set("path", path);
  return error;
}

}  // namespace

// sd_notify(3): one datagram to the AF_UNIX socket that $NOTIFY_SOCKET names, "@" in front meaning the abstract namespace.
Napi::Value sdNotify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string state = info[0].As<Napi::String>().Utf8Value();
  const char* variable = std::getenv("NOTIFY_SOCKET");
  if (variable == nullptr || *variable == '\0') return Napi::Boolean::New(env, false);
  const std::string path = variable;

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if ((path[0] != '/' && path[0] != '@') || path.size() >= sizeof(address.sun_path)) {
    throw systemError(env, EINVAL, "connect", path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool isAbstract = path[0] == '@';
  if (isAbstract) address.sun_path[0] = '\0';
  // An abstract name ends with the address, another with its NUL.
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (isAbstract ? 0 : 1));

  const Descriptor fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) throw systemError(env, errno, "socket", path);
  const ssize_t sent = sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  if (sent < 0) throw systemError(env, errno, "sendto", path);
  return Napi::Boolean::New(env, true);
}

Napi::Value lockFile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  Descriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd.get() < 0) throw systemError(env, errno, "open", path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0) throw systemError(env, errno, "flock", path);
  return Napi::Number::New(env, fd.release());
}

void unlockFile(const Napi::CallbackInfo& info) { close(info[0].As<Napi::Number>().Int32Value()); }

}  // namespace addon
