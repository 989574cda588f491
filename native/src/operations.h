// The table of libvirt calls: each is a name, and a function that runs on a worker thread.
#pragma once

#include <libvirt/libvirt.h>

#include <string>
#include <vector>

#include "failure.h"
#include "handles.h"
#include "value.h"

namespace addon {

// Throws Failure, never returns a libvirt object: those live for one call only.
using Operation = Value (*)(virConnectPtr connection, const Arguments& arguments);

struct NamedOperation {
  const char* name;
  Operation run;
};

std::vector<NamedOperation> hostOperations();
std::vector<NamedOperation> domainOperations();
std::vector<NamedOperation> statsOperations();
std::vector<NamedOperation> tuningOperations();
std::vector<NamedOperation> networkOperations();
std::vector<NamedOperation> nwfilterOperations();

// Null when there is no such operation.
Operation findOperation(const std::string& name);

// Takes a string that libvirt allocated. Throws Failure when it is null.
inline std::string takeString(char* allocated) { return CString(check(allocated)).get(); }

DomainRef findDomain(virConnectPtr connection, const char* uuid);

std::string uuidOf(virDomainPtr domain);

// {uuid, name, id}; id is null for a domain that does not run.
Object identityOf(virDomainPtr domain);

// Whether a name is written as a UUID (8-4-4-4-12 hex digits), for objects that may be addressed either way.
bool looksLikeUuid(const std::string& text);

// One typed parameter as a plain value: int, unsigned, double as number; 64-bit integers as BigInt.
Value valueOf(const virTypedParameter& parameter);

}  // namespace addon
