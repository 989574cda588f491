#include "operations.h"

namespace addon {

namespace {

Value isAlive(virConnectPtr c, const Arguments&) { return check(virConnectIsAlive(c)) == 1; }

Value hostname(virConnectPtr c, const Arguments&) { return takeString(virConnectGetHostname(c)); }

Value uri(virConnectPtr c, const Arguments&) { return takeString(virConnectGetURI(c)); }

Value driverType(virConnectPtr c, const Arguments&) { return check(virConnectGetType(c)); }

Value libVersion(virConnectPtr c, const Arguments&) {
  unsigned long version = 0;
  check(virConnectGetLibVersion(c, &version));
  return static_cast<double>(version);
}

Value hypervisorVersion(virConnectPtr c, const Arguments&) {
  unsigned long version = 0;
  check(virConnectGetVersion(c, &version));
  return static_cast<double>(version);
}

Value capabilitiesXml(virConnectPtr c, const Arguments&) { return takeString(virConnectGetCapabilities(c)); }

// emulator, arch, machine, virtType: each may be null.
Value domainCapabilitiesXml(virConnectPtr c, const Arguments& a) {
  return takeString(virConnectGetDomainCapabilities(c, a.stringOrNull(0), a.stringOrNull(1), a.stringOrNull(2),
                                                    a.stringOrNull(3), 0));
}

Value nodeInfo(virConnectPtr c, const Arguments&) {
  virNodeInfo info;
  check(virNodeGetInfo(c, &info));
  return Object{{"cpuModel", info.model},
                {"memoryKiB", static_cast<double>(info.memory)},
                {"processors", info.cpus},
                {"frequencyMHz", info.mhz},
                {"numaNodes", info.nodes},
                {"socketsPerNode", info.sockets},
                {"coresPerSocket", info.cores},
                {"threadsPerCore", info.threads}};
}

}  // namespace

std::vector<NamedOperation> hostOperations() {
  return {{"isAlive", isAlive},
          {"hostname", hostname},
          {"uri", uri},
          {"driverType", driverType},
          {"libVersion", libVersion},
          {"hypervisorVersion", hypervisorVersion},
          {"capabilitiesXml", capabilitiesXml},
          {"domainCapabilitiesXml", domainCapabilitiesXml},
          {"nodeInfo", nodeInfo}};
}

}  // namespace addon
