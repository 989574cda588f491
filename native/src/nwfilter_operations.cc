#include "operations.h"

namespace addon {

namespace {

NwfilterRef findNwfilter(virConnectPtr c, const Arguments& a) {
  return NwfilterRef(check(looksLikeUuid(a.text(0)) ? virNWFilterLookupByUUIDString(c, a.string(0))
                                                    : virNWFilterLookupByName(c, a.string(0))));
}

Object describe(virNWFilterPtr filter) {
  char uuid[VIR_UUID_STRING_BUFLEN];
  check(virNWFilterGetUUIDString(filter, uuid));
  return {{"name", check(virNWFilterGetName(filter))}, {"uuid", uuid}};
}

Value listNwfilters(virConnectPtr c, const Arguments&) {
  List<virNWFilterPtr, virNWFilterFree> filters;
  filters.count = check(virConnectListAllNWFilters(c, &filters.items, 0));
  Array result;
  for (const virNWFilterPtr filter : filters) result.push_back(describe(filter));
  return result;
}

Value nwfilterXml(virConnectPtr c, const Arguments& a) {
  return takeString(virNWFilterGetXMLDesc(findNwfilter(c, a).get(), 0));
}

Value defineNwfilter(virConnectPtr c, const Arguments& a) {
  return describe(NwfilterRef(check(virNWFilterDefineXML(c, a.string(0)))).get());
}

Value undefineNwfilter(virConnectPtr c, const Arguments& a) {
  check(virNWFilterUndefine(findNwfilter(c, a).get()));
  return {};
}

}  // namespace

std::vector<NamedOperation> nwfilterOperations() {
  return {{"listNwfilters", listNwfilters},
          {"nwfilterXml", nwfilterXml},
          {"defineNwfilter", defineNwfilter},
          {"undefineNwfilter", undefineNwfilter}};
}

}  // namespace addon
