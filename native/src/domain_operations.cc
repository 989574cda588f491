#include "operations.h"

namespace addon {

namespace {

// An operation of the form "int virDomainX(domain, flags)".
template <auto Function>
Value withFlags(virConnectPtr c, const Arguments& a) {
  check(Function(findDomain(c, a.string(0)).get(), a.flags(1)));
  return {};
}

// An operation of the form "int virDomainX(domain)".
template <auto Function>
Value plain(virConnectPtr c, const Arguments& a) {
  check(Function(findDomain(c, a.string(0)).get()));
  return {};
}

// An operation of the form "int virDomainX(domain, xml, flags)".
template <auto Function>
Value withXmlAndFlags(virConnectPtr c, const Arguments& a) {
  check(Function(findDomain(c, a.string(0)).get(), a.string(1), a.flags(2)));
  return {};
}

Value createDomain(virConnectPtr c, const Arguments& a) {
  return identityOf(DomainRef(check(virDomainCreateXML(c, a.string(0), a.flags(1)))).get());
}

Value defineDomain(virConnectPtr c, const Arguments& a) {
  return identityOf(DomainRef(check(virDomainDefineXMLFlags(c, a.string(0), a.flags(1)))).get());
}

Value lookupDomainByName(virConnectPtr c, const Arguments& a) {
  return identityOf(DomainRef(check(virDomainLookupByName(c, a.string(0)))).get());
}

Value domainState(virConnectPtr c, const Arguments& a) {
  int state = 0;
  int reason = 0;
  check(virDomainGetState(findDomain(c, a.string(0)).get(), &state, &reason, 0));
  return Object{{"state", state}, {"reason", reason}};
}

Value domainInfo(virConnectPtr c, const Arguments& a) {
  virDomainInfo info;
  check(virDomainGetInfo(findDomain(c, a.string(0)).get(), &info));
  return Object{{"state", info.state},
                {"maximumMemoryKiB", static_cast<double>(info.maxMem)},
                {"memoryKiB", static_cast<double>(info.memory)},
                {"processors", static_cast<int>(info.nrVirtCpu)},
                {"cpuTimeSeconds", static_cast<double>(info.cpuTime) / 1e9}};
}

Value domainXml(virConnectPtr c, const Arguments& a) {
  return takeString(virDomainGetXMLDesc(findDomain(c, a.string(0)).get(), a.flags(1)));
}

// uuid, path, flags
Value saveDomain(virConnectPtr c, const Arguments& a) {
  check(virDomainSaveFlags(findDomain(c, a.string(0)).get(), a.string(1), nullptr, a.flags(2)));
  return {};
}

// path, flags
Value restoreDomain(virConnectPtr c, const Arguments& a) {
  check(virDomainRestoreFlags(c, a.string(0), nullptr, a.flags(1)));
  return {};
}

// uuid, path, format, flags
Value coreDumpDomain(virConnectPtr c, const Arguments& a) {
  check(virDomainCoreDumpWithFormat(findDomain(c, a.string(0)).get(), a.string(1), a.flags(2), a.flags(3)));
  return {};
}

// uuid, xml, flags
Value createSnapshot(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  const SnapshotRef snapshot(check(virDomainSnapshotCreateXML(domain.get(), a.string(1), a.flags(2))));
  return check(virDomainSnapshotGetName(snapshot.get()));
}

Value listSnapshots(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  List<virDomainSnapshotPtr, virDomainSnapshotFree> snapshots;
  snapshots.count = check(virDomainListAllSnapshots(domain.get(), &snapshots.items, 0));
  Array names;
  for (const virDomainSnapshotPtr snapshot : snapshots) names.push_back(check(virDomainSnapshotGetName(snapshot)));
  return names;
}

// uuid, name, flags
Value deleteSnapshot(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  const SnapshotRef snapshot(check(virDomainSnapshotLookupByName(domain.get(), a.string(1), 0)));
  check(virDomainSnapshotDelete(snapshot.get(), a.flags(2)));
  return {};
}

// uuid, whole seconds, nanoseconds, flags
Value setDomainTime(virConnectPtr c, const Arguments& a) {
  check(virDomainSetTime(findDomain(c, a.string(0)).get(), static_cast<long long>(a.number(1)),
                         static_cast<unsigned>(a.number(2)), a.flags(3)));
  return {};
}

// uuid, seconds, flags
Value setAgentResponseTimeout(virConnectPtr c, const Arguments& a) {
  check(virDomainAgentSetResponseTimeout(findDomain(c, a.string(0)).get(), static_cast<int>(a.number(1)), a.flags(2)));
  return {};
}

// uuid, source
Value domainInterfaceAddresses(virConnectPtr c, const Arguments& a) {
  const DomainRef domain = findDomain(c, a.string(0));
  List<virDomainInterfacePtr, virDomainInterfaceFree> interfaces;
  interfaces.count = check(virDomainInterfaceAddresses(domain.get(), &interfaces.items, a.flags(1), 0));
  Array result;
  for (const virDomainInterfacePtr interface : interfaces) {
    Array addresses;
    for (unsigned i = 0; i < interface->naddrs; i++) {
      const virDomainIPAddress& address = interface->addrs[i];
      addresses.push_back(Object{{"family", address.type == VIR_IP_ADDR_TYPE_IPV6 ? "ipv6" : "ipv4"},
                                 {"address", address.addr},
                                 {"prefix", address.prefix}});
    }
    result.push_back(Object{{"name", interface->name}, {"mac", interface->hwaddr}, {"addresses", std::move(addresses)}});
  }
  return result;
}

}  // namespace

std::vector<NamedOperation> domainOperations() {
  return {{"createDomain", createDomain},
          {"defineDomain", defineDomain},
          {"lookupDomainByName", lookupDomainByName},
          {"domainState", domainState},
          {"domainInfo", domainInfo},
          {"domainXml", domainXml},
          {"startDomain", withFlags<virDomainCreateWithFlags>},
          {"shutdownDomain", withFlags<virDomainShutdownFlags>},
          {"rebootDomain", withFlags<virDomainReboot>},
          {"resetDomain", withFlags<virDomainReset>},
          {"destroyDomain", withFlags<virDomainDestroyFlags>},
          {"undefineDomain", withFlags<virDomainUndefineFlags>},
          {"suspendDomain", plain<virDomainSuspend>},
          {"resumeDomain", plain<virDomainResume>},
          {"abortDomainJob", plain<virDomainAbortJob>},
          {"attachDomainDevice", withXmlAndFlags<virDomainAttachDeviceFlags>},
          {"detachDomainDevice", withXmlAndFlags<virDomainDetachDeviceFlags>},
          {"updateDomainDevice", withXmlAndFlags<virDomainUpdateDeviceFlags>},
          {"saveDomain", saveDomain},
          {"restoreDomain", restoreDomain},
          {"coreDumpDomain", coreDumpDomain},
          {"createSnapshot", createSnapshot},
          {"listSnapshots", listSnapshots},
          {"deleteSnapshot", deleteSnapshot},
          {"setDomainTime", setDomainTime},
          {"setAgentResponseTimeout", setAgentResponseTimeout},
          {"domainInterfaceAddresses", domainInterfaceAddresses}};
}

}  // namespace addon
