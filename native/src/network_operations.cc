#include <libvirt/virterror.h>

#include "operations.h"

namespace addon {

namespace {

// By name, or by UUID where it is written as one.
NetworkRef findNetwork(virConnectPtr c, const Arguments& a) {
  return NetworkRef(check(looksLikeUuid(a.text(0)) ? virNetworkLookupByUUIDString(c, a.string(0))
                                                   : virNetworkLookupByName(c, a.string(0))));
}

template <auto Function>
Value plain(virConnectPtr c, const Arguments& a) {
  check(Function(findNetwork(c, a).get()));
  return {};
}

Object describe(virNetworkPtr network) {
  char uuid[VIR_UUID_STRING_BUFLEN];
  check(virNetworkGetUUIDString(network, uuid));
  int autostart = 0;
  check(virNetworkGetAutostart(network, &autostart));
  // A network of forward mode "hostdev" or the like has no bridge: libvirt calls that an error.
  const CString bridge(virNetworkGetBridgeName(network));
  return {{"name", check(virNetworkGetName(network))},
          {"uuid", uuid},
          {"active", check(virNetworkIsActive(network)) == 1},
          {"persistent", check(virNetworkIsPersistent(network)) == 1},
          {"autostart", autostart != 0},
          {"bridge", bridge.get()}};
}

Value listNetworks(virConnectPtr c, const Arguments&) {
  List<virNetworkPtr, virNetworkFree> networks;
  networks.count = check(virConnectListAllNetworks(c, &networks.items, 0));
  Array result;
  for (const virNetworkPtr network : networks) {
    try {
      result.push_back(describe(network));
    } catch (const Failure& failure) {
      // Gone since it was listed.
      if (failure.code != VIR_ERR_NO_NETWORK) throw;
    }
  }
  return result;
}

Value lookupNetwork(virConnectPtr c, const Arguments& a) { return describe(findNetwork(c, a).get()); }

Value networkXml(virConnectPtr c, const Arguments& a) {
  return takeString(virNetworkGetXMLDesc(findNetwork(c, a).get(), a.flags(1)));
}

Value defineNetwork(virConnectPtr c, const Arguments& a) {
  return describe(NetworkRef(check(virNetworkDefineXML(c, a.string(0)))).get());
}

Value createNetwork(virConnectPtr c, const Arguments& a) {
  return describe(NetworkRef(check(virNetworkCreateXML(c, a.string(0)))).get());
}

// name, boolean
Value setNetworkAutostart(virConnectPtr c, const Arguments& a) {
  check(virNetworkSetAutostart(findNetwork(c, a).get(), a.boolean(1) ? 1 : 0));
  return {};
}

// name, command, section, parentIndex, xml, flags
Value updateNetwork(virConnectPtr c, const Arguments& a) {
  check(virNetworkUpdate(findNetwork(c, a).get(), a.flags(1), a.flags(2), static_cast<int>(a.number(3)), a.string(4),
                         a.flags(5)));
  return {};
}

// name, mac or null
Value networkDhcpLeases(virConnectPtr c, const Arguments& a) {
  const NetworkRef network = findNetwork(c, a);
  List<virNetworkDHCPLeasePtr, virNetworkDHCPLeaseFree> leases;
  leases.count = check(virNetworkGetDHCPLeases(network.get(), a.stringOrNull(1), &leases.items, 0));
  Array result;
  for (const virNetworkDHCPLeasePtr lease : leases) {
    result.push_back(Object{{"interface", lease->iface},
                            {"expiresAtSeconds", static_cast<double>(lease->expirytime)},
                            {"family", lease->type == VIR_IP_ADDR_TYPE_IPV6 ? "ipv6" : "ipv4"},
                            {"mac", lease->mac},
                            {"address", lease->ipaddr},
                            {"prefix", lease->prefix},
                            {"hostname", lease->hostname},
                            {"clientId", lease->clientid}});
  }
  return result;
}

}  // namespace

std::vector<NamedOperation> networkOperations() {
  return {{"listNetworks", listNetworks},
          {"lookupNetwork", lookupNetwork},
          {"networkXml", networkXml},
          {"defineNetwork", defineNetwork},
          {"createNetwork", createNetwork},
          {"startNetwork", plain<virNetworkCreate>},
          {"destroyNetwork", plain<virNetworkDestroy>},
          {"undefineNetwork", plain<virNetworkUndefine>},
          {"setNetworkAutostart", setNetworkAutostart},
          {"updateNetwork", updateNetwork},
          {"networkDhcpLeases", networkDhcpLeases}};
}

}  // namespace addon
