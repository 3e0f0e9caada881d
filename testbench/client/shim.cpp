// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program, this makes /dev/nvme0, /dev/nvme0n1 and /dev/ng0n1 (up to n32) the drive of `flashpath shell`:
// opening one connects to its socket, and NVMe ioctls become questions on it. Everything else goes to libc.
//
// Not offered: read(), write() and mmap() on the block device, sysfs, io_uring passthrough, vectored commands.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include "client/wire.h"

#define FLASHPATH_OFFER extern "C" __attribute__((visibility("default")))

namespace {
using namespace flashpath::client;

/// What stands behind a file descriptor: 0 nothing of ours, else the kind and the namespace.
constexpr std::uint32_t controller = 1U << 16U, block = 2U << 16U, generic = 3U << 16U;
constexpr int most_descriptors = 4096;
std::atomic<std::uint32_t> devices[most_descriptors];

template <class F>
F real(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  F function;
  static_assert(sizeof function == sizeof found);
  std::memcpy(&function, &found, sizeof function);
  return function;
}

std::uint32_t number(const char* text) {
  std::uint32_t n = 0;
  for (; *text >= '0' && *text <= '9'; ++text) n = n * 10 + static_cast<std::uint32_t>(*text - '0');
  return *text == 0 && n >= 1 && n <= 32 ? n : 0;
}

std::uint32_t device_of(const char* path) {
  if (path == nullptr) return 0;
  if (std::strcmp(path, "/dev/nvme0") == 0) return controller;
  if (std::strncmp(path, "/dev/nvme0n", 11) == 0) {
    const std::uint32_t n = number(path + 11);
    return n == 0 ? 0 : block | n;
  }
  if (std::strncmp(path, "/dev/ng0n", 9) == 0) {
    const std::uint32_t n = number(path + 9);
    return n == 0 ? 0 : generic | n;
  }
  return 0;
}

std::uint32_t device_of(int fd) { return fd >= 0 && fd < most_descriptors ? devices[fd].load() : 0; }

/// `data` and `metadata` are the caller's. False: errno says why.
bool ask(int fd, const Question& q, void* data, void* metadata, Answer& a) {
  const bool out = (q.opcode & 1U) != 0;
  if (!send_all(fd, &q, sizeof q) || (out && (!send_all(fd, data, q.data_size) || !send_all(fd, metadata, q.metadata_size))) ||
      !receive_all(fd, &a, sizeof a) || a.data_size > q.data_size || a.metadata_size > q.metadata_size ||
      !receive_all(fd, data, a.data_size) || !receive_all(fd, metadata, a.metadata_size)) {
    errno = EIO;
    return false;
  }
  if (a.error != 0) {
    errno = a.error;
    return false;
  }
  return true;
}

int connect_to_drive(std::uint32_t device, int flags) {
  const char* const path = std::getenv(socket_variable);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) {
    errno = ENXIO;
    return -1;
  }
  std::strcpy(address.sun_path, path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | ((flags & O_CLOEXEC) != 0 ? SOCK_CLOEXEC : 0), 0);
  if (fd < 0) return -1;
  if (fd >= most_descriptors || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    errno = ENXIO;
    return -1;
  }
  if (device != controller) {  // a namespace that is not there has no device file either
    Answer a;
    if (!ask(fd, {.ask = Ask::shape, .nsid = device & 0xffffU}, nullptr, nullptr, a)) {
      ::close(fd);
      errno = ENOENT;
      return -1;
    }
  }
  devices[fd] = device;
  return fd;
}

template <class Stat>
int describe(std::uint32_t device, Stat* s) {
  std::memset(s, 0, sizeof *s);
  const bool is_block = (device & 0xffff0000U) == block;
  s->st_mode = (is_block ? S_IFBLK : S_IFCHR) | 0600U;
  s->st_rdev = makedev(is_block ? 259 : 240, device & 0xffffU);
  s->st_nlink = 1;
  s->st_blksize = 4096;
  return 0;
}

template <class Command>
int command(int fd, Ask kind, Command* c) {
  const Question q{.ask = kind,
                   .opcode = c->opcode,
                   .flags = c->flags,
                   .nsid = c->nsid,
                   .cdw2 = c->cdw2,
                   .cdw3 = c->cdw3,
                   .cdw10 = c->cdw10,
                   .cdw11 = c->cdw11,
                   .cdw12 = c->cdw12,
                   .cdw13 = c->cdw13,
                   .cdw14 = c->cdw14,
                   .cdw15 = c->cdw15,
                   .data_size = c->data_len,
                   .metadata_size = c->metadata_len,
                   .timeout_ms = c->timeout_ms};
  Answer a;
  if (!ask(fd, q, reinterpret_cast<void*>(c->addr), reinterpret_cast<void*>(c->metadata), a)) return -1;
  c->result = static_cast<decltype(c->result)>(a.result);
  return static_cast<int>(a.status);
}

/// NVME_IOCTL_SUBMIT_IO: the kernel knows how long a block is; here the drive is asked.
int submit_io(int fd, std::uint32_t nsid, const nvme_user_io* io) {
  Answer shape, a;
  if (!ask(fd, {.ask = Ask::shape, .nsid = nsid}, nullptr, nullptr, shape)) return -1;
  const std::uint32_t blocks = io->nblocks + 1U;
  const auto data = static_cast<std::uint32_t>(shape.result), metadata = static_cast<std::uint32_t>(shape.result >> 32U);
  const Question q{.ask = Ask::io,
                   .opcode = io->opcode,
                   .flags = io->flags,
                   .nsid = nsid,
                   .cdw10 = static_cast<std::uint32_t>(io->slba),
                   .cdw11 = static_cast<std::uint32_t>(io->slba >> 32U),
                   .cdw12 = io->nblocks | (static_cast<std::uint32_t>(io->control) << 16U),
                   .cdw13 = io->dsmgmt,
                   .cdw14 = io->reftag,
                   .cdw15 = io->apptag | (static_cast<std::uint32_t>(io->appmask) << 16U),
                   .data_size = blocks * data,
                   .metadata_size = io->metadata != 0 ? blocks * metadata : 0};
  if (!ask(fd, q, reinterpret_cast<void*>(io->addr), reinterpret_cast<void*>(io->metadata), a)) return -1;
  return static_cast<int>(a.status);
}

int device_ioctl(int fd, std::uint32_t device, unsigned long request, void* argument) {
  const std::uint32_t nsid = device & 0xffffU;
  Answer a;
  switch (request) {
    case NVME_IOCTL_ADMIN_CMD: return command(fd, Ask::admin, static_cast<nvme_passthru_cmd*>(argument));
    case NVME_IOCTL_ADMIN64_CMD: return command(fd, Ask::admin, static_cast<nvme_passthru_cmd64*>(argument));
    case NVME_IOCTL_IO_CMD: return command(fd, Ask::io, static_cast<nvme_passthru_cmd*>(argument));
    case NVME_IOCTL_IO64_CMD: return command(fd, Ask::io, static_cast<nvme_passthru_cmd64*>(argument));
    case NVME_IOCTL_RESET: return ask(fd, {.ask = Ask::reset}, nullptr, nullptr, a) ? 0 : -1;
    case NVME_IOCTL_SUBSYS_RESET: return ask(fd, {.ask = Ask::subsystem}, nullptr, nullptr, a) ? 0 : -1;
    case NVME_IOCTL_RESCAN: return 0;
    default: break;
  }
  if (nsid != 0) {
    switch (request) {
      case NVME_IOCTL_ID: return static_cast<int>(nsid);
      case NVME_IOCTL_SUBMIT_IO: return submit_io(fd, nsid, static_cast<const nvme_user_io*>(argument));
      default: break;
    }
    if (request == BLKSSZGET || request == BLKGETSIZE64 || request == BLKGETSIZE) {
      if (!ask(fd, {.ask = Ask::shape, .nsid = nsid}, nullptr, nullptr, a)) return -1;
      const std::uint64_t size = a.result2 * static_cast<std::uint32_t>(a.result);
      if (request == BLKSSZGET) *static_cast<int*>(argument) = static_cast<int>(a.result);
      else if (request == BLKGETSIZE64) *static_cast<std::uint64_t*>(argument) = size;
      else *static_cast<unsigned long*>(argument) = size / 512;
      return 0;
    }
  }
  errno = ENOTTY;
  return -1;
}

}  // namespace

#define FLASHPATH_OPEN(NAME)                                                                               \
  FLASHPATH_OFFER int NAME(const char* path, int flags, ...) {                                             \
    if (const std::uint32_t device = device_of(path); device != 0) return connect_to_drive(device, flags); \
    va_list more;                                                                                          \
    va_start(more, flags);                                                                                 \
    const mode_t mode = va_arg(more, mode_t);                                                              \
    va_end(more);                                                                                          \
    static const auto libc = real<int (*)(const char*, int, ...)>(#NAME);                                  \
    return libc(path, flags, mode);                                                                        \
  }
FLASHPATH_OPEN(open)
FLASHPATH_OPEN(open64)

#define FLASHPATH_OPEN_2(NAME)                                                                             \
  FLASHPATH_OFFER int NAME(const char* path, int flags) {                                                  \
    if (const std::uint32_t device = device_of(path); device != 0) return connect_to_drive(device, flags); \
    static const auto libc = real<int (*)(const char*, int)>(#NAME);                                       \
    return libc(path, flags);                                                                              \
  }
FLASHPATH_OPEN_2(__open_2)
FLASHPATH_OPEN_2(__open64_2)

#define FLASHPATH_OPENAT(NAME)                                                                             \
  FLASHPATH_OFFER int NAME(int directory, const char* path, int flags, ...) {                              \
    if (const std::uint32_t device = device_of(path); device != 0) return connect_to_drive(device, flags); \
    va_list more;                                                                                          \
    va_start(more, flags);                                                                                 \
    const mode_t mode = va_arg(more, mode_t);                                                              \
    va_end(more);                                                                                          \
    static const auto libc = real<int (*)(int, const char*, int, ...)>(#NAME);                             \
    return libc(directory, path, flags, mode);                                                             \
  }
FLASHPATH_OPENAT(openat)
FLASHPATH_OPENAT(openat64)

#define FLASHPATH_FSTAT(NAME, STAT)                                                          \
  FLASHPATH_OFFER int NAME(int fd, STAT* s) {                                                \
    if (const std::uint32_t device = device_of(fd); device != 0) return describe(device, s); \
    static const auto libc = real<int (*)(int, STAT*)>(#NAME);                               \
    return libc(fd, s);                                                                      \
  }
FLASHPATH_FSTAT(fstat, struct stat)
FLASHPATH_FSTAT(fstat64, struct stat64)

#define FLASHPATH_STAT(NAME, STAT)                                                             \
  FLASHPATH_OFFER int NAME(const char* path, STAT* s) {                                        \
    if (const std::uint32_t device = device_of(path); device != 0) return describe(device, s); \
    static const auto libc = real<int (*)(const char*, STAT*)>(#NAME);                         \
    return libc(path, s);                                                                      \
  }
FLASHPATH_STAT(stat, struct stat)
FLASHPATH_STAT(stat64, struct stat64)
FLASHPATH_STAT(lstat, struct stat)
FLASHPATH_STAT(lstat64, struct stat64)

FLASHPATH_OFFER int ioctl(int fd, unsigned long request, ...) {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  if (const std::uint32_t device = device_of(fd); device != 0) return device_ioctl(fd, device, request, argument);
  static const auto libc = real<int (*)(int, unsigned long, ...)>("ioctl");
  return libc(fd, request, argument);
}

FLASHPATH_OFFER int close(int fd) {
  if (fd >= 0 && fd < most_descriptors) devices[fd] = 0;
  static const auto libc = real<int (*)(int)>("close");
  return libc(fd);
}
