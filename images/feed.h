#pragma once
// Samples that come one by one, as a folder that is watched or a pipe gives them.

#include <cstdint>
#include <optional>
#include <span>

#include "images/source.h"

namespace pgad {

// One thread at a time.
class SampleFeed {
 public:
  virtual ~SampleFeed() = default;
  // The next sample; empty: there is none at present. Does not wait.
  virtual std::optional<Sample> next() = 0;
  // next() will never give another.
  virtual bool ended() const = 0;
  // Returns when next() may have one, when the feed has ended, or after so many seconds.
  virtual void wait(double seconds) = 0;
  // How many samples there are in all, given ones included; empty: not known.
  virtual std::optional<std::int64_t> total() const { return std::nullopt; }
};

// Samples that are all known; they must outlive it.
class ListFeed : public SampleFeed {
 public:
  explicit ListFeed(std::span<const Sample> samples) : samples_(samples) {}
  std::optional<Sample> next() override { return ended() ? std::nullopt : std::optional(samples_[given_++]); }
  bool ended() const override { return given_ == samples_.size(); }
  void wait(double) override {}
  std::optional<std::int64_t> total() const override { return static_cast<std::int64_t>(samples_.size()); }

 private:
  std::span<const Sample> samples_;
  std::size_t given_ = 0;
};

}  // namespace pgad
