#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "descriptor.h"

namespace addon {

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Address parse(Napi::Env env, const std::string& text, uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof(*v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof(*v6);
  } else {
    throw systemError(env, EINVAL, "bind", text);
  }
  return address;
}

int bound(const Napi::CallbackInfo& info, int type) {
  const Napi::Env env = info.Env();
  const std::string text = info[0].As<Napi::String>().Utf8Value();
  const uint32_t port = info[1].As<Napi::Number>().Uint32Value();
  const std::string subject = text + ":" + std::to_string(port);
  if (port > UINT16_MAX) throw systemError(env, EINVAL, "bind", subject);
  const Address address = parse(env, text, static_cast<uint16_t>(port));

  Descriptor fd(socket(address.storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) throw systemError(env, errno, "socket", subject);
  const int on = 1;
  // As Node does: connections of an earlier listener that are still closing do not keep TCP's port. UDP needs it not.
  if (type == SOCK_STREAM && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) {
    throw systemError(env, errno, "setsockopt", subject);
  }
  // The other family has a socket of its own.
  if (address.storage.ss_family == AF_INET6 &&
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) {
    throw systemError(env, errno, "setsockopt", subject);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) < 0) {
    throw systemError(env, errno, "bind", subject);
  }
  if (type == SOCK_STREAM && listen(fd.get(), info[2].As<Napi::Number>().Int32Value()) < 0) {
    throw systemError(env, errno, "listen", subject);
  }
  return fd.release();
}

}  // namespace

Napi::Value listenTcp(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), bound(info, SOCK_STREAM));
}

Napi::Value bindUdp(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), bound(info, SOCK_DGRAM));
}

Napi::Value socketPort(const Napi::CallbackInfo& info) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (getsockname(info[0].As<Napi::Number>().Int32Value(), reinterpret_cast<sockaddr*>(&storage), &length) < 0) {
    throw systemError(info.Env(), errno, "getsockname", "socket");
  }
  const uint16_t port = storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                                                      : reinterpret_cast<sockaddr_in*>(&storage)->sin_port;
  return Napi::Number::New(info.Env(), ntohs(port));
}

}  // namespace addon
