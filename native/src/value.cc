#include "value.h"

#include <stdexcept>

namespace addon {

namespace {

struct ToJs {
  Napi::Env env;

  Napi::Value operator()(std::monostate) const { return env.Null(); }
  Napi::Value operator()(bool value) const { return Napi::Boolean::New(env, value); }
  Napi::Value operator()(double value) const { return Napi::Number::New(env, value); }
  Napi::Value operator()(int64_t value) const { return Napi::BigInt::New(env, value); }
  Napi::Value operator()(uint64_t value) const { return Napi::BigInt::New(env, value); }
  Napi::Value operator()(const std::string& value) const { return Napi::String::New(env, value); }

  Napi::Value operator()(const Array& values) const {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); i++) {
      Napi::HandleScope scope(env);
      array.Set(static_cast<uint32_t>(i), toJs(env, values[i]));
    }
    return array;
  }

  Napi::Value operator()(const Object& members) const {
    Napi::Object object = Napi::Object::New(env);
    for (const auto& [name, value] : members) {
      Napi::HandleScope scope(env);
      object.Set(Napi::String::New(env, name), toJs(env, value));
    }
    return object;
  }
};

}  // namespace

Napi::Value toJs(Napi::Env env, const Value& value) {
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
