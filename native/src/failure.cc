#include "failure.h"

#include <libvirt/virterror.h>

#include <utility>

namespace addon {

Failure lastFailure() {
  const virErrorPtr error = virGetLastError();
  if (error == nullptr) return ownFailure(VIR_ERR_INTERNAL_ERROR, "libvirt reported a failure without a cause");
  Failure failure;
  failure.code = error->code;
  failure.domain = error->domain;
  failure.level = error->level;
  failure.message = error->message != nullptr ? error->message : "libvirt gave no message";
  return failure;
}

Failure ownFailure(int code, std::string message) {
  Failure failure;
  failure.code = code;
  failure.domain = VIR_FROM_NONE;
  failure.level = VIR_ERR_ERROR;
  failure.message = std::move(message);
  return failure;
}

Failure currentFailure() {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::exception& error) {
    return ownFailure(VIR_ERR_INTERNAL_ERROR, error.what());
  } catch (...) {
    return ownFailure(VIR_ERR_INTERNAL_ERROR, "unknown C++ exception");
  }
}

int check(int result) {
  if (result < 0) throw lastFailure();
  return result;
}

}  // namespace addon
