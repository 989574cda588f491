// Many domains in one round trip.
#include <libvirt/virterror.h>

#include "operations.h"

namespace addon {

namespace {

class StatsRecords {
 public:
  StatsRecords() = default;
  StatsRecords(const StatsRecords&) = delete;
  StatsRecords& operator=(const StatsRecords&) = delete;
  ~StatsRecords() { virDomainStatsRecordListFree(records); }

  virDomainStatsRecordPtr* records = nullptr;
  int count = 0;
};

// virDomainGetInfo for drivers whose statistics lack what every driver knows. Null when the domain went meanwhile.
Value infoOf(virDomainPtr domain) {
  virDomainInfo info;
  if (virDomainGetInfo(domain, &info) < 0) return {};
  return Object{{"state", info.state},
                {"maximumMemoryKiB", static_cast<double>(info.maxMem)},
                {"memoryKiB", static_cast<double>(info.memory)},
                {"processors", static_cast<int>(info.nrVirtCpu)},
                {"cpuTimeSeconds", static_cast<double>(info.cpuTime) / 1e9}};
}

Object withoutStats(virDomainPtr domain) {
  Object entry = identityOf(domain);
  entry.emplace_back("raw", Object{});
  entry.emplace_back("info", infoOf(domain));
  return entry;
}

Value listWithoutStats(virConnectPtr c, unsigned listFlags) {
  List<virDomainPtr, virDomainFree> domains;
  domains.count = check(virConnectListAllDomains(c, &domains.items, listFlags));
  Array result;
  for (const virDomainPtr domain : domains) result.push_back(withoutStats(domain));
  return result;
}

// groups, flags (of which domains, and NOWAIT), whether processor time is among what was asked for
// Gives [{uuid, name, id, raw, info}]; info only where raw lacks the state or the wanted processor time.
Value domainStats(virConnectPtr c, const Arguments& a) {
  const unsigned flags = a.flags(1);
  const bool wantsCpu = a.boolean(2);
  StatsRecords stats;
  stats.count = virConnectGetAllDomainStats(c, a.flags(0), &stats.records, flags);
  if (stats.count < 0) {
    if (virGetLastErrorCode() != VIR_ERR_NO_SUPPORT) throw lastFailure();
    return listWithoutStats(c, flags & (VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE));
  }
  Array result;
  for (int i = 0; i < stats.count; i++) {
    const virDomainStatsRecord& record = *stats.records[i];
    Object raw;
    bool hasState = false;
    bool hasCpu = false;
    for (int p = 0; p < record.nparams; p++) {
      const std::string field = record.params[p].field;
      hasState = hasState || field == "state.state";
      hasCpu = hasCpu || field == "cpu.time";
      raw.emplace_back(field, valueOf(record.params[p]));
    }
    Object entry = identityOf(record.dom);
    entry.emplace_back("raw", std::move(raw));
    entry.emplace_back("info", hasState && (hasCpu || !wantsCpu) ? Value() : infoOf(record.dom));
    result.push_back(std::move(entry));
  }
  return result;
}

}  // namespace

std::vector<NamedOperation> statsOperations() { return {{"domainStats", domainStats}}; }

}  // namespace addon
