#pragma once
// Weights in the form that a kernel computes with (transformed, reordered), made once for as long as they stay the
// same.

#include <cstdint>
#include <map>
#include <tuple>

#include "engine/tensor.h"

namespace pgad {

// Holds on to the weights' memory too, so that an address cannot come to mean other weights. Whoever changes weights in
// place calls forget().
class PreparedWeights {
 public:
  // What tells two forms of one tensor apart: the kernel's own number, and the factor applied.
  using Form = std::tuple<std::int64_t, double>;

  // constant: no weights change as long as this exists, so preparing them is no part of a recorded step.
  explicit PreparedWeights(bool constant) : constant_(constant) {}

  bool constant() const { return constant_; }
  // Null if there is none yet.
  const Tensor* find(const Tensor& weights, const Form& form) const {
    const auto found = entries_.find({weights.address(), form});
    return found == entries_.end() ? nullptr : &found->second.prepared;
  }
  void keep(const Tensor& weights, const Form& form, const Tensor& prepared) {
    entries_.insert_or_assign({weights.address(), form}, Entry{weights, prepared});
  }
  // Everything made of weights that lie in this tensor's memory, a whole network's for instance.
  void forget(const Tensor& changed) {
    const auto begin = reinterpret_cast<std::uintptr_t>(changed.address());
    std::erase_if(entries_, [&](const auto& entry) {
      return reinterpret_cast<std::uintptr_t>(entry.first.first) - begin < changed.bytes();
    });
  }

 private:
  struct Entry {
    Tensor weights, prepared;
  };
  bool constant_;
  std::map<std::pair<const void*, Form>, Entry> entries_;
};

}  // namespace pgad
