#include "operations.h"

#include <cctype>
#include <unordered_map>

namespace addon {

Operation findOperation(const std::string& name) {
  // Never destroyed: worker threads may still run when the process exits.
  static const auto& table = *[] {
    auto* all = new std::unordered_map<std::string, Operation>();
    for (const auto& group : {hostOperations(), domainOperations(), statsOperations(), tuningOperations(),
                              networkOperations(), nwfilterOperations()}) {
      for (const auto& [operationName, run] : group) all->emplace(operationName, run);
    }
    return all;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

DomainRef findDomain(virConnectPtr connection, const char* uuid) {
  return DomainRef(check(virDomainLookupByUUIDString(connection, uuid)));
}

std::string uuidOf(virDomainPtr domain) {
  char uuid[VIR_UUID_STRING_BUFLEN];
  check(virDomainGetUUIDString(domain, uuid));
  return uuid;
}

Object identityOf(virDomainPtr domain) {
  const unsigned id = virDomainGetID(domain);
  return {{"uuid", uuidOf(domain)},
          {"name", check(virDomainGetName(domain))},
          {"id", id == static_cast<unsigned>(-1) ? Value() : Value(id)}};
}

bool looksLikeUuid(const std::string& text) {
  if (text.size() != VIR_UUID_STRING_BUFLEN - 1) return false;
  for (size_t i = 0; i < text.size(); i++) {
    const bool isDash = i == 8 || i == 13 || i == 18 || i == 23;
    if (isDash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

Value valueOf(const virTypedParameter& parameter) {
  switch (parameter.type) {
    case VIR_TYPED_PARAM_INT:
      return parameter.value.i;
    case VIR_TYPED_PARAM_UINT:
      return parameter.value.ui;
    case VIR_TYPED_PARAM_LLONG:
      return static_cast<int64_t>(parameter.value.l);
    case VIR_TYPED_PARAM_ULLONG:
      return static_cast<uint64_t>(parameter.value.ul);
    case VIR_TYPED_PARAM_DOUBLE:
      return parameter.value.d;
    case VIR_TYPED_PARAM_BOOLEAN:
      return parameter.value.b != 0;
    case VIR_TYPED_PARAM_STRING:
      return parameter.value.s;
    default:
      return {};
  }
}

}  // namespace addon
