// What changes a domain's share of the host: processor, memory, disk bandwidth.
#include <libvirt/virterror.h>

#include "operations.h"

namespace addon {

namespace {

class TypedParameters {
 public:
  TypedParameters() = default;
  TypedParameters(const TypedParameters&) = delete;
  TypedParameters& operator=(const TypedParameters&) = delete;
  ~TypedParameters() { virTypedParamsFree(items, count); }

  int add(const std::string& name, int type, double value) {
    switch (type) {
      case VIR_TYPED_PARAM_INT:
        return virTypedParamsAddInt(&items, &count, &capacity, name.c_str(), static_cast<int>(value));
      case VIR_TYPED_PARAM_UINT:
        return virTypedParamsAddUInt(&items, &count, &capacity, name.c_str(), static_cast<unsigned>(value));
      case VIR_TYPED_PARAM_LLONG:
        return virTypedParamsAddLLong(&items, &count, &capacity, name.c_str(), static_cast<long long>(value));
      case VIR_TYPED_PARAM_ULLONG:
        return virTypedParamsAddULLong(&items, &count, &capacity, name.c_str(),
                                       static_cast<unsigned long long>(value));
      case VIR_TYPED_PARAM_DOUBLE:
        return virTypedParamsAddDouble(&items, &count, &capacity, name.c_str(), value);
      default:
        throw ownFailure(VIR_ERR_ARGUMENT_UNSUPPORTED, "parameter " + name + " is not a number");
    }
  }

  virTypedParameterPtr items = nullptr;
  int count = 0;
  int capacity = 0;
};

// What the driver has for this domain. Allocated by us, filled in by libvirt.
class SchedulerParameters {
 public:
  SchedulerParameters(virDomainPtr domain, unsigned flags) {
    int count = 0;
    CString(check(virDomainGetSchedulerType(domain, &count)));
    parameters_.resize(static_cast<size_t>(count));
    // Some drivers have only the older call, which is the same as no flags.
    if (count > 0) {
      check(flags == 0 ? virDomainGetSchedulerParameters(domain, parameters_.data(), &count)
                       : virDomainGetSchedulerParametersFlags(domain, parameters_.data(), &count, flags));
    }
    used_ = count;
  }
  SchedulerParameters(const SchedulerParameters&) = delete;
  SchedulerParameters& operator=(const SchedulerParameters&) = delete;
  ~SchedulerParameters() { virTypedParamsClear(parameters_.data(), used_); }

  const virTypedParameter* begin() const { return parameters_.data(); }
  const virTypedParameter* end() const { return parameters_.data() + used_; }

 private:
  std::vector<virTypedParameter> parameters_;
  int used_ = 0;
};

// uuid, flags
Value schedulerParameters(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  Object result;
  for (const virTypedParameter& parameter : SchedulerParameters(domain.get(), a.flags(1))) {
    result.emplace_back(parameter.field, valueOf(parameter));
  }
  return result;
}

// uuid, [[name, number]…], flags. The type of each is the one the driver reports: libvirt refuses any other.
Value setSchedulerParameters(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  const SchedulerParameters known(domain.get(), a.flags(2));
  TypedParameters wanted;
  for (const Value& pair : a.array(1)) {
    const Arguments item(std::get<Array>(pair));
    const virTypedParameter* match = nullptr;
    for (const virTypedParameter& parameter : known) {
      if (item.text(0) == parameter.field) match = &parameter;
    }
    if (match == nullptr) {
      throw ownFailure(VIR_ERR_ARGUMENT_UNSUPPORTED, "the driver has no scheduler parameter " + item.text(0));
    }
    check(wanted.add(item.text(0), match->type, item.number(1)));
  }
  check(a.flags(2) == 0
            ? virDomainSetSchedulerParameters(domain.get(), wanted.items, wanted.count)
            : virDomainSetSchedulerParametersFlags(domain.get(), wanted.items, wanted.count, a.flags(2)));
  return {};
}

// uuid, weight, flags
Value setBlkioWeight(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  TypedParameters wanted;
  check(wanted.add(VIR_DOMAIN_BLKIO_WEIGHT, VIR_TYPED_PARAM_UINT, a.number(1)));
  check(virDomainSetBlkioParameters(domain.get(), wanted.items, wanted.count, a.flags(2)));
  return {};
}

// uuid, KiB, flags
Value setMemory(virConnectPtr c, const Arguments& a) {
  check(virDomainSetMemoryFlags(findDomain(c, a.string(0)).get(), static_cast<unsigned long>(a.number(1)), a.flags(2)));
  return {};
}

}  // namespace

std::vector<NamedOperation> tuningOperations() {
  return {{"schedulerParameters", schedulerParameters},
          {"setSchedulerParameters", setSchedulerParameters},
          {"setBlkioWeight", setBlkioWeight},
          {"setMemory", setMemory}};
}

}  // namespace addon
