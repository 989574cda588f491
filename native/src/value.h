// Plain data that crosses between JavaScript and the threads that call libvirt.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace addon {

struct Value;
using Array = std::vector<Value>;
using Object = std::vector<std::pair<std::string, Value>>;

// 64-bit integers become BigInt in JavaScript; what always fits 53 bits is made a double by the operation that knows so.
struct Value : std::variant<std::monostate, bool, double, int64_t, uint64_t, std::string, Array, Object> {
  using variant::variant;

  Value() = default;
  Value(int number) : variant(static_cast<double>(number)) {}
  Value(unsigned number) : variant(static_cast<double>(number)) {}
  // Null from libvirt means "not set".
  Value(const char* text) { if (text != nullptr) emplace<std::string>(text); }
};

// Null when the environment can make no more values, as when a worker thread is being terminated.
napi_value toJs(napi_env env, const Value& value);

// Accepts null, undefined, booleans, numbers, strings and arrays of them. Throws a JavaScript TypeError for anything
// else, and for strings with a NUL, which C would silently cut.
Value fromJs(const Napi::Value& value);

// The arguments of one operation, already on the worker's side. The TypeScript part fixes their number and types, so a
// mismatch is a bug of this package and throws std::logic_error.
class Arguments {
 public:
  explicit Arguments(Array values) : values_(std::move(values)) {}

  const std::string& text(size_t index) const;
  const char* string(size_t index) const { return text(index).c_str(); }
  // Null where JavaScript gave null or undefined.
  const char* stringOrNull(size_t index) const;
  double number(size_t index) const;
  unsigned flags(size_t index) const { return static_cast<unsigned>(number(index)); }
  bool boolean(size_t index) const;
  const Array& array(size_t index) const;

 private:
  template <typename T>
  const T& get(size_t index) const;

  Array values_;
};

}  // namespace addon
