// SPDX-License-Identifier: Apache-2.0
#include "client/server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace flashpath::client {
Server::Server(PolledHost& host, std::string socket_path, std::FILE* log) : host_{host}, path_{std::move(socket_path)}, log_{log} {}

Server::~Server() {
  for (const int c : connections_) ::close(c);
  if (socket_ >= 0) ::close(socket_);
  ::unlink(path_.c_str());
}

bool Server::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::copy(path_.begin(), path_.end(), address.sun_path);
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return socket_ >= 0 && ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(socket_, 16) == 0;
}

int Server::serve(pid_t child) {
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return status;
    std::vector<pollfd> watched{{socket_, POLLIN, 0}};
    for (const int c : connections_) watched.push_back({c, POLLIN, 0});
    constexpr int look_for_the_child_ms = 20;
    if (::poll(watched.data(), watched.size(), look_for_the_child_ms) <= 0) continue;
    if ((watched[0].revents & POLLIN) != 0) {
      if (const int c = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); c >= 0) connections_.push_back(c);
    }
    for (std::size_t i = 1; i < watched.size(); ++i) {
      if (watched[i].revents == 0 || talk(watched[i].fd)) continue;
      ::close(watched[i].fd);
      std::erase(connections_, watched[i].fd);
    }
  }
}

/// One question and its answer; false: the other side is gone, or is not one of ours.
bool Server::talk(int connection) {
  Question q;
  if (!receive_all(connection, &q, sizeof q) || q.magic != wire_magic) return false;
  std::vector<unsigned char> data, metadata;
  Answer a;
  if (q.data_size > PolledHost::most_data || q.metadata_size > PolledHost::most_metadata) {
    // What was announced is not read: the connection ends after the answer.
    a.error = EINVAL;
    send_all(connection, &a, sizeof a);
    return false;
  }
  data.resize(q.data_size);
  metadata.resize(q.metadata_size);
  if ((q.opcode & 1U) != 0 &&
      (!receive_all(connection, data.data(), data.size()) || !receive_all(connection, metadata.data(), metadata.size())))
    return false;
  a = answer(q, data, metadata);
  return send_all(connection, &a, sizeof a) && send_all(connection, data.data(), a.data_size) &&
         send_all(connection, metadata.data(), a.metadata_size);
}

Answer Server::shape(std::uint32_t nsid) {
  Answer a;
  std::vector<unsigned char> identify(4096);
  const PolledHost::Answer done = host_.run({.opcode = 0x06, .nsid = nsid}, true, identify);
  if (!done.answered || done.cqe.code() != nvme::Status::success) {
    a.error = ENXIO;
    return a;
  }
  // NVM Command Set 1.0 §4.1.5.1: NSZE at 0, FLBAS at 26, LBA formats from 128.
  std::memcpy(&a.result2, identify.data(), 8);
  if (a.result2 == 0) {  // not active
    a.error = ENXIO;
    return a;
  }
  const unsigned format = (identify[26] & 0xfU) | ((identify[26] >> 1U) & 0x30U);
  std::uint32_t lbaf = 0;
  std::memcpy(&lbaf, identify.data() + 128 + std::size_t{format} * 4, 4);
  a.result = (std::uint64_t{1} << ((lbaf >> 16U) & 0xffU)) | (static_cast<std::uint64_t>(lbaf & 0xffffU) << 32U);
  return a;
}

Answer Server::answer(const Question& q, std::vector<unsigned char>& data, std::vector<unsigned char>& metadata) {
  Answer a;
  if (q.ask == Ask::shape) return shape(q.nsid);
  if (q.ask == Ask::reset || q.ask == Ask::subsystem) {
    if (q.ask == Ask::subsystem) {
      constexpr std::uint64_t nssr = 0x20, nvme_in_ascii = 0x4e564d65;
      host_.drive().write_register(nssr, 4, nvme_in_ascii);
    }
    a.error = host_.bring_up() ? 0 : EIO;
    return a;
  }
  if (q.ask != Ask::admin && q.ask != Ask::io) {
    a.error = EINVAL;
    return a;
  }
  const nvme::Sqe sqe{.opcode = q.opcode,
                      .flags = q.flags,
                      .nsid = q.nsid,
                      .cdw2 = q.cdw2,
                      .cdw3 = q.cdw3,
                      .cdw10 = q.cdw10,
                      .cdw11 = q.cdw11,
                      .cdw12 = q.cdw12,
                      .cdw13 = q.cdw13,
                      .cdw14 = q.cdw14,
                      .cdw15 = q.cdw15};
  const Duration patience = std::chrono::milliseconds{q.timeout_ms != 0 ? q.timeout_ms : 60'000};
  const PolledHost::Answer done = host_.run(sqe, q.ask == Ask::admin, data, metadata, patience);
  if (!done.answered) {
    a.error = ETIMEDOUT;
  } else {
    constexpr unsigned without_phase = 1;
    a.status = (static_cast<unsigned>(done.cqe.status) >> without_phase) & 0x7fffU;
    a.result = done.cqe.dw0 | (static_cast<std::uint64_t>(done.cqe.dw1) << 32U);
    if ((q.opcode & 2U) != 0) {
      a.data_size = static_cast<std::uint32_t>(data.size());
      a.metadata_size = static_cast<std::uint32_t>(metadata.size());
    }
  }
  if (log_ != nullptr) {
    fmt::print(log_, "{:<5} {:02x}h nsid {:#x} cdw10 {:#010x} cdw11 {:#010x} {:>8} B: {} in {}\n", q.ask == Ask::admin ? "admin" : "io",
               q.opcode, q.nsid, q.cdw10, q.cdw11, data.size(),
               done.answered ? fmt::format("status {:03x}h", a.status & 0x7ffU) : "no answer",
               fmt::format("{:.3f} us", static_cast<double>(done.took.count()) * 1e-6));
  }
  return a;
}

}  // namespace flashpath::client
