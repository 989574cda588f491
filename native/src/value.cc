#include "value.h"

#include <stdexcept>

namespace addon {

namespace {

// Plain Node-API, since its C++ wrapper aborts the process when a worker thread is terminated in the midst of it.
struct ToJs {
  napi_env env;

  napi_value operator()(std::monostate) const { return made(napi_get_null); }
  napi_value operator()(bool value) const { return made(napi_get_boolean, value); }
  napi_value operator()(double value) const { return made(napi_create_double, value); }
  napi_value operator()(int64_t value) const { return made(napi_create_bigint_int64, value); }
  napi_value operator()(uint64_t value) const { return made(napi_create_bigint_uint64, value); }
  napi_value operator()(const std::string& value) const {
    return made(napi_create_string_utf8, value.data(), value.size());
  }

  napi_value operator()(const Array& values) const {
    const napi_value array = made(napi_create_array_with_length, values.size());
    for (size_t i = 0; array != nullptr && i < values.size(); i++) {
      Napi::HandleScope scope(env);
      const napi_value element = toJs(env, values[i]);
      if (element == nullptr || napi_set_element(env, array, static_cast<uint32_t>(i), element) != napi_ok) return nullptr;
    }
    return array;
  }

  napi_value operator()(const Object& members) const {
    const napi_value object = made(napi_create_object);
    for (const auto& [name, value] : members) {
      if (object == nullptr) return nullptr;
      Napi::HandleScope scope(env);
      const napi_value key = (*this)(name);
      const napi_value member = toJs(env, value);
      if (key == nullptr || member == nullptr || napi_set_property(env, object, key, member) != napi_ok) return nullptr;
    }
    return object;
  }

 private:
  template <typename Function, typename... Parameters>
  napi_value made(Function function, Parameters... parameters) const {
    napi_value result = nullptr;
    return function(env, parameters..., &result) == napi_ok ? result : nullptr;
  }
};

}  // namespace

napi_value toJs(napi_env env, const Value& value) {
  using Variant = std::variant<std::monostate, bool, double, int64_t, uint64_t, std::string, Array, Object>;
  return std::visit(ToJs{env}, static_cast<const Variant&>(value));
}

Value fromJs(const Napi::Value& value) {
  if (value.IsNull() || value.IsUndefined()) return {};
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  if (value.IsString()) {
    std::string text = value.As<Napi::String>().Utf8Value();
    if (text.find('\0') != std::string::npos) {
      throw Napi::TypeError::New(value.Env(), "libvirt: a string argument contains a NUL character");
    }
    return text;
  }
  if (value.IsArray()) {
    Napi::Array array = value.As<Napi::Array>();
    Array values;
    values.reserve(array.Length());
    for (uint32_t i = 0; i < array.Length(); i++) values.push_back(fromJs(array.Get(i)));
    return values;
  }
  throw Napi::TypeError::New(value.Env(), "libvirt: an argument is neither string, number, boolean nor array of them");
}

template <typename T>
const T& Arguments::get(size_t index) const {
  const T* value = index < values_.size() ? std::get_if<T>(&values_[index]) : nullptr;
  if (value == nullptr) throw std::logic_error("argument " + std::to_string(index) + " is missing or of the wrong type");
  return *value;
}

const std::string& Arguments::text(size_t index) const { return get<std::string>(index); }

const char* Arguments::stringOrNull(size_t index) const {
  const bool isNull = index >= values_.size() || std::holds_alternative<std::monostate>(values_[index]);
  return isNull ? nullptr : string(index);
}

double Arguments::number(size_t index) const { return get<double>(index); }

bool Arguments::boolean(size_t index) const { return get<bool>(index); }

const Array& Arguments::array(size_t index) const { return get<Array>(index); }

}  // namespace addon
