// SPDX-License-Identifier: Apache-2.0
#include "dram/dram_part.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace flashpath::dram {

ModelDram::ModelDram(const sc_core::sc_module_name& name, Environment& environment, const Config& config)
    : Dram{name, environment},
      port_{"in", environment.agenda, TargetPort::Serve::to<&ModelDram::serve>(this), true},
      timing_{config},
      small_access_{config.small_access} {}

void ModelDram::watch(std::uint64_t base, Bytes size, Watcher watcher) {
  const auto at = std::ranges::lower_bound(watches_, base, {}, &Watch::base);
  const bool clear = (at == watches_.begin() || std::prev(at)->end <= base) && (at == watches_.end() || base + size.count <= at->base);
  invariant(clear, "two watches of the memory overlap", this->name());
  watches_.insert(at, {base, base + size.count, watcher});
}

bool ModelDram::legal(Payload& payload) {
  if (!payload.is_read() && !payload.is_write()) payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
  else if (payload.get_byte_enable_ptr() != nullptr) payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  else if (payload.get_data_length() == 0 || payload.get_streaming_width() < payload.get_data_length())
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
  else return true;
  ++refused_;
  return false;
}

Window ModelDram::serve(Payload& payload, Time at) {
  if (!legal(payload)) return {at, at};
  Transfer& transfer = transfer_of(payload);
  const Bytes size = size_of(payload);
  moved_ += timing_.whole(size);
  const bool small = transfer.master == Master::core && size <= small_access_;
  Booking booking;
  if (payload.is_read()) {
    booking = small ? timing_.small_read(at, size) : timing_.read(at, size);
    ++reads_;
    bytes_read_ += size;
    if (transfer.carries_data) memory_.read(payload.get_address(), {payload.get_data_ptr(), payload.get_data_length()});
  } else {
    const Stream in{at, std::max(at, transfer.stream.last)};
    booking = small ? timing_.small_write(at, size) : timing_.write(in, size);
    ++writes_;
    bytes_written_ += size;
    store(payload, transfer, booking.data.last);
  }
  if (small) ++small_;
  else queued_ += booking.accepted > at ? booking.accepted - at : Duration{};
  transfer.stream = booking.data;
  transfer.journey.mark(Stage::dram, booking.data.first);
  latency_.add(booking.data.first - at);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  return {booking.accepted, booking.data.first};
}

bool ModelDram::touches_watch(std::uint64_t address, std::uint64_t end) const {
  const auto after = std::ranges::upper_bound(watches_, address, {}, &Watch::base);  // the first that begins behind the address
  return (after != watches_.begin() && std::prev(after)->end > address) || (after != watches_.end() && after->base < end);
}

void ModelDram::store(const Payload& payload, const Transfer& transfer, Time visible_at) {
  const std::uint64_t address = payload.get_address();
  const std::size_t size = payload.get_data_length();
  const bool seen = watched(address, address + size);
  if (!seen || size > held_bytes) {
    if (transfer.carries_data) memory_.write(address, {payload.get_data_ptr(), size});
    if (!seen) return;
  }
  if (held_free_.empty()) {
    held_free_.push_back(held_.size());
    held_.push_back(std::make_unique<Held>());
  }
  const std::size_t index = held_free_.back();
  held_free_.pop_back();
  Held& held = *held_[index];
  held.address = address;
  held.end = address + size;
  held.size = transfer.carries_data && size <= held_bytes ? size : 0;
  std::memcpy(held.bytes, payload.get_data_ptr(), held.size);
  agenda_.post<&ModelDram::visible>(std::max(visible_at, agenda_.now()), this, index, 0, Priority::release);
}

void ModelDram::visible(Time now, std::uint64_t index) {
  Held& held = *held_[index];
  const std::uint64_t address = held.address, end = held.end;
  if (held.size != 0) memory_.write(address, {held.bytes, held.size});
  held_free_.push_back(index);
  auto watch = std::ranges::upper_bound(watches_, address, {}, &Watch::base);
  if (watch != watches_.begin() && std::prev(watch)->end > address) --watch;
  for (; watch != watches_.end() && watch->base < end; ++watch) watch->watcher(address, now);
}

void ModelDram::check(Laws& laws, Time) const {
  const Duration exact = timing_.rate().bytes_per_second == 0 ? Duration{} : moved_ / timing_.rate();
  const auto accesses = static_cast<std::int64_t>(reads_.value + writes_.value);  // each rounded up by less than 1 ps
  laws.expect(exact <= timing_.busy() + 1_ps && timing_.busy() <= exact + Duration{accesses},
              "channel time differs from bytes moved / rate");
  laws.expect(timing_.busy() <= timing_.free_at() - Time{}, "channels busy for longer than there was time");
  laws.equal("accesses timed", latency_.count(), "reads + writes", reads_.value + writes_.value);
  laws.expect(bytes_read_.value + bytes_written_.value >= reads_.value + writes_.value, "an access moved no bytes");
}

void ModelDram::explain(Stall& stall) const {
  stall.waits(held_.size() - held_free_.size(), "writes to watched ranges", "their visibility");
}

void ModelDram::finish(Time) { busy_.value = timing_.busy(); }

}  // namespace flashpath::dram
