// libvirt's reference-counted objects as owning C++ types: freed when they leave scope, on every path.
#pragma once

#include <libvirt/libvirt.h>

#include <cstdlib>
#include <memory>
#include <type_traits>

namespace addon {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const { Free(object); }
};

using ConnectionRef = std::unique_ptr<virConnect, FreeWith<virConnectClose>>;
using DomainRef = std::unique_ptr<virDomain, FreeWith<virDomainFree>>;
using SnapshotRef = std::unique_ptr<virDomainSnapshot, FreeWith<virDomainSnapshotFree>>;
using NetworkRef = std::unique_ptr<virNetwork, FreeWith<virNetworkFree>>;
using NwfilterRef = std::unique_ptr<virNWFilter, FreeWith<virNWFilterFree>>;
using CString = std::unique_ptr<char, FreeWith<std::free>>;

// An array of pointers as libvirt's list functions return it: count elements, each freed by Free, then the array.
template <typename Pointer, auto Free>
class List {
 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    for (int i = 0; i < count; i++) Free(items[i]);
    std::free(items);
  }

  Pointer* begin() const { return items; }
  Pointer* end() const { return items + (count > 0 ? count : 0); }

  Pointer* items = nullptr;
  int count = 0;
};

}  // namespace addon
