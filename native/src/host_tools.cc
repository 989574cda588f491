#include "host_tools.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "descriptor.h"

namespace addon {

// Declared in descriptor.h.
Napi::Error systemError(Napi::Env env, int number, const char* syscall, const std::string& subject) {
  const std::string code = uv_err_name(-number);
  Napi::Error error = Napi::Error::New(env, code + ": " + uv_strerror(-number) + ", " + syscall + " '" + subject + "'");
  error.Set("code", code);
  error.Set("errno", Napi::Number::New(env, -number));
  error.Set("syscall", syscall);
  error.Set("path", subject);
  return error;
}

// sd_notify(3): one datagram to an AF_UNIX socket, "@" in front meaning the abstract namespace. It never blocks: EAGAIN
// when the receiver's queue is full.
void sdNotify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const std::string state = info[1].As<Napi::String>().Utf8Value();

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@') || path.size() >= sizeof(address.sun_path)) {
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
