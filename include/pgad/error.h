#pragma once
/// \file
/// The exceptions of inspector.h.

#include <pgad/export.h>

#include <stdexcept>

namespace pgad {

/// A failure: a bad model file, a picture that cannot be inspected, no memory. The message names the object, the value
/// and what was expected.
class PGAD_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The request itself is wrong: an option out of its range, an unknown name.
class PGAD_API UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace pgad
