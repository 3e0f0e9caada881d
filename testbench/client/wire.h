// SPDX-License-Identifier: Apache-2.0
// What the preloaded library and `flashpath shell` say to each other over a Unix socket: a Question, what it carries out,
// an Answer, what it carries back. Both run on one machine, from one build: plain structures, its byte order.
#pragma once
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace flashpath::client {

inline constexpr std::uint32_t wire_magic = 0x31535046;  // "FPS1"
inline constexpr const char* socket_variable = "FLASHPATH_SOCKET";

enum class Ask : std::uint32_t {
  admin,      ///< a command for the admin queue
  io,         ///< a command for an I/O queue
  reset,      ///< controller reset
  subsystem,  ///< NVM subsystem reset
  shape,      ///< of namespace `nsid`: Answer::result = data bytes of a block | metadata bytes << 32, result2 = blocks
};

struct Question {
  std::uint32_t magic = wire_magic;
  Ask ask = Ask::admin;
  std::uint8_t opcode = 0, flags = 0;
  std::uint16_t reserved = 0;
  std::uint32_t nsid = 0, cdw2 = 0, cdw3 = 0;
  std::uint32_t cdw10 = 0, cdw11 = 0, cdw12 = 0, cdw13 = 0, cdw14 = 0, cdw15 = 0;
  std::uint32_t data_size = 0, metadata_size = 0;  ///< their bytes follow when bit 0 of the opcode is set
  std::uint32_t timeout_ms = 0;                    ///< simulated; 0: a minute
};
static_assert(sizeof(Question) == 60);

struct Answer {
  std::int32_t error = 0;    ///< errno; 0: the drive has answered
  std::uint32_t status = 0;  ///< SCT 10:8, SC 7:0, DNR 14, as the kernel hands it on
  std::uint64_t result = 0;  ///< dwords 0 and 1 of the completion
  std::uint64_t result2 = 0;
  std::uint32_t data_size = 0, metadata_size = 0;  ///< of what follows
};
static_assert(sizeof(Answer) == 32);

/// All of it, whatever the socket takes at a time; false: the other side is gone.
inline bool send_all(int fd, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  while (size != 0) {
    const ssize_t n = ::send(fd, bytes, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

inline bool receive_all(int fd, void* to, std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(to);
  while (size != 0) {
    const ssize_t n = ::recv(fd, bytes, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace flashpath::client
