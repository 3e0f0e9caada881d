// SPDX-License-Identifier: Apache-2.0
// NVM Express on the wire: registers, queue entries, opcodes, status codes. Little-endian, as the host is.
//
// Sources: NVM Express Base Specification 2.0 (registers §3.1, queues §3.3 and §4, commands §5), NVM Command Set
// Specification 1.0 (§3). Names are the standard's. Identify data: spec_identify.h; log pages: spec_log.h.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace flashpath::nvme {

static_assert(std::endian::native == std::endian::little, "wire structures are written as the host lays them out");

// ---- controller registers, §3.1.3 (byte offsets in BAR0) ----

enum class Register : std::uint32_t {
  cap = 0x00,  ///< 8 bytes
  vs = 0x08,
  intms = 0x0c,
  intmc = 0x10,
  cc = 0x14,
  csts = 0x1c,
  nssr = 0x20,
  aqa = 0x24,
  asq = 0x28,  ///< 8 bytes
  acq = 0x30,  ///< 8 bytes
  cmbloc = 0x38,
  cmbsz = 0x3c,
  bpinfo = 0x40,
  crto = 0x68,
  doorbells = 0x1000,
};

/// SQyTDBL, §3.1.3 (memory-based transport): tail of submission queue `qid`.
constexpr std::uint64_t sq_tail_doorbell(std::uint32_t qid, unsigned dstrd = 0) { return 0x1000U + (2ULL * qid) * (4ULL << dstrd); }
/// CQyHDBL: head of completion queue `qid`.
constexpr std::uint64_t cq_head_doorbell(std::uint32_t qid, unsigned dstrd = 0) { return 0x1000U + (2ULL * qid + 1) * (4ULL << dstrd); }

/// CAP, §3.1.3.1.
struct Cap {
  std::uint64_t raw = 0;
  constexpr std::uint32_t mqes() const { return static_cast<std::uint32_t>(raw & 0xffffU); }  ///< 0-based
  constexpr bool weighted() const { return ((raw >> 17U) & 1U) != 0; }                        ///< AMS: weighted round robin with urgent
  constexpr bool cqr() const { return ((raw >> 16U) & 1U) != 0; }
  constexpr std::uint32_t to() const { return static_cast<std::uint32_t>((raw >> 24U) & 0xffU); }   ///< in 500 ms
  constexpr unsigned dstrd() const { return static_cast<unsigned>((raw >> 32U) & 0xfU); }           ///< stride 4 << dstrd
  constexpr std::uint32_t css() const { return static_cast<std::uint32_t>((raw >> 37U) & 0xffU); }  ///< bit 0: NVM command set
  constexpr unsigned mpsmin() const { return static_cast<unsigned>((raw >> 48U) & 0xfU); }          ///< page 4 KiB << mpsmin
  constexpr unsigned mpsmax() const { return static_cast<unsigned>((raw >> 52U) & 0xfU); }
  /// Contiguous queues required, subsystem reset, NVM command set and others, ready with media (CRMS.CRWMS).
  static constexpr Cap make(std::uint32_t mqes, std::uint32_t to, unsigned dstrd, unsigned mpsmin, unsigned mpsmax, bool weighted = false) {
    std::uint64_t raw = (mqes & 0xffffU) | (1ULL << 16U) | (1ULL << 36U) | (1ULL << 37U) | (1ULL << 43U) | (1ULL << 59U);
    if (weighted) raw |= 1ULL << 17U;
    raw |= static_cast<std::uint64_t>(to & 0xffU) << 24U;
    raw |= static_cast<std::uint64_t>(dstrd & 0xfU) << 32U;
    raw |= static_cast<std::uint64_t>(mpsmin & 0xfU) << 48U;
    raw |= static_cast<std::uint64_t>(mpsmax & 0xfU) << 52U;
    return {raw};
  }
};

inline constexpr std::uint32_t nssr_signature = 0x4e56'4d65;  ///< "NVMe", §3.1.3.8
inline constexpr std::uint32_t version_2_0 = 0x0002'0000;     ///< VS, §3.1.3.2

/// CC, §3.1.3.5.
struct Cc {
  std::uint32_t raw = 0;
  constexpr bool en() const { return (raw & 1U) != 0; }
  constexpr unsigned css() const { return (raw >> 4U) & 7U; }
  constexpr unsigned mps() const { return (raw >> 7U) & 0xfU; }
  constexpr unsigned ams() const { return (raw >> 11U) & 7U; }
  constexpr unsigned shn() const { return (raw >> 14U) & 3U; }
  constexpr unsigned iosqes() const { return (raw >> 16U) & 0xfU; }
  constexpr unsigned iocqes() const { return (raw >> 20U) & 0xfU; }
  static constexpr Cc make(bool en, unsigned mps = 0, unsigned shn = 0, unsigned iosqes = 6, unsigned iocqes = 4, unsigned ams = 0) {
    return {(en ? 1U : 0U) | (ams << 11U) | (mps << 7U) | (shn << 14U) | (iosqes << 16U) | (iocqes << 20U)};
  }
};

/// CSTS, §3.1.3.6.
struct Csts {
  std::uint32_t raw = 0;
  constexpr bool rdy() const { return (raw & 1U) != 0; }
  constexpr bool cfs() const { return (raw & 2U) != 0; }
  constexpr unsigned shst() const { return (raw >> 2U) & 3U; }  ///< 0 normal, 1 occurring, 2 complete
};

// ---- queue entries ----

/// Submission queue entry, §3.3.3.1 figure "Common Command Format".
struct Sqe {
  std::uint8_t opcode = 0;
  std::uint8_t flags = 0;  ///< FUSE 1:0, PSDT 7:6 (0: PRPs, 1: SGL, 2: SGL for the metadata, too)
  std::uint16_t cid = 0;
  std::uint32_t nsid = 0;
  std::uint32_t cdw2 = 0;
  std::uint32_t cdw3 = 0;
  std::uint64_t mptr = 0;
  std::uint64_t prp1 = 0;
  std::uint64_t prp2 = 0;
  std::uint32_t cdw10 = 0;
  std::uint32_t cdw11 = 0;
  std::uint32_t cdw12 = 0;
  std::uint32_t cdw13 = 0;
  std::uint32_t cdw14 = 0;
  std::uint32_t cdw15 = 0;

  constexpr unsigned psdt() const { return (flags >> 6U) & 3U; }
  constexpr unsigned fuse() const { return flags & 3U; }
  constexpr std::uint64_t slba() const { return cdw10 | (static_cast<std::uint64_t>(cdw11) << 32U); }
  constexpr std::uint32_t nlb() const { return cdw12 & 0xffffU; }  ///< 0-based
  // End-to-end protection, NVM Command Set Specification §3.2.4 (Read) and its sisters.
  constexpr bool pract() const { return ((cdw12 >> 29U) & 1U) != 0; }
  constexpr unsigned prchk() const { return (cdw12 >> 26U) & 7U; }  ///< bit 2 guard, 1 application tag, 0 reference tag
};
inline constexpr unsigned prchk_guard = 4, prchk_app = 2, prchk_ref = 1;
static_assert(sizeof(Sqe) == 64);
static_assert(offsetof(Sqe, cid) == 2 && offsetof(Sqe, nsid) == 4 && offsetof(Sqe, mptr) == 16);
static_assert(offsetof(Sqe, prp1) == 24 && offsetof(Sqe, prp2) == 32 && offsetof(Sqe, cdw10) == 40 && offsetof(Sqe, cdw15) == 60);

/// Status code types and codes, §3.3.3.2.1: value = SCT << 8 | SC.
enum class Status : std::uint16_t {
  success = 0x000,
  invalid_opcode = 0x001,
  invalid_field = 0x002,
  cid_conflict = 0x003,
  data_transfer_error = 0x004,
  power_loss_abort = 0x005,
  internal_error = 0x006,
  abort_requested = 0x007,
  aborted_sq_deletion = 0x008,
  invalid_namespace = 0x00b,
  command_sequence_error = 0x00c,
  invalid_sgl_segment = 0x00d,
  invalid_sgl_count = 0x00e,
  data_sgl_length_invalid = 0x00f,
  metadata_sgl_length_invalid = 0x010,
  sgl_type_invalid = 0x011,
  prp_offset_invalid = 0x013,
  fdp_disabled = 0x029,
  lba_out_of_range = 0x080,
  capacity_exceeded = 0x081,
  format_in_progress = 0x084,
  invalid_value_size = 0x085,
  invalid_key_size = 0x086,
  key_does_not_exist = 0x087,
  key_exists = 0x089,
  cq_invalid = 0x100,
  invalid_qid = 0x101,
  invalid_queue_size = 0x102,
  abort_limit_exceeded = 0x103,
  aer_limit_exceeded = 0x105,
  firmware_slot = 0x106,
  firmware_image = 0x107,
  invalid_interrupt_vector = 0x108,
  invalid_log_page = 0x109,
  invalid_format = 0x10a,
  invalid_queue_deletion = 0x10c,
  feature_not_saveable = 0x10d,
  feature_not_changeable = 0x10e,
  feature_not_per_namespace = 0x10f,
  firmware_needs_reset = 0x111,
  namespace_capacity = 0x115,
  namespace_id_unavailable = 0x116,
  namespace_attached = 0x118,
  namespace_not_attached = 0x11a,
  thin_provisioning = 0x11b,
  controller_list_invalid = 0x11c,
  self_test_in_progress = 0x11d,
  command_set_not_supported = 0x129,
  command_set_not_enabled = 0x12a,
  command_set_combination = 0x12b,
  invalid_protection_information = 0x181,
  command_size_limit_exceeded = 0x183,
  write_fault = 0x280,
  unrecovered_read_error = 0x281,
  guard_check_error = 0x282,
  application_tag_check_error = 0x283,
  reference_tag_check_error = 0x284,
  compare_failure = 0x285,
  aborted_by_host = 0x371,
};

inline constexpr std::uint32_t every_namespace = 0xffff'ffffU;  ///< NSID that names them all
inline constexpr std::uint16_t status_phase = 1;
inline constexpr std::uint16_t status_more = 1U << 14U;
inline constexpr std::uint16_t status_dnr = 1U << 15U;

/// Completion queue entry, §3.3.3.2.
struct Cqe {
  std::uint32_t dw0 = 0;
  std::uint32_t dw1 = 0;
  std::uint16_t sqhd = 0;
  std::uint16_t sqid = 0;
  std::uint16_t cid = 0;
  std::uint16_t status = 0;  ///< P 0, SC 8:1, SCT 11:9, CRD 13:12, M 14, DNR 15

  constexpr bool phase() const { return (status & 1U) != 0; }
  constexpr Status code() const { return static_cast<Status>((status >> 1U) & 0x7ffU); }
  constexpr bool dnr() const { return (status & status_dnr) != 0; }
};
static_assert(sizeof(Cqe) == 16);
static_assert(offsetof(Cqe, sqhd) == 8 && offsetof(Cqe, sqid) == 10 && offsetof(Cqe, cid) == 12 && offsetof(Cqe, status) == 14);

// ---- opcodes ----

/// Admin commands, §5.
enum class AdminOpcode : std::uint8_t {
  delete_io_sq = 0x00,
  create_io_sq = 0x01,
  get_log_page = 0x02,
  delete_io_cq = 0x04,
  create_io_cq = 0x05,
  identify = 0x06,
  abort = 0x08,
  set_features = 0x09,
  get_features = 0x0a,
  async_event_request = 0x0c,
  keep_alive = 0x18,
  namespace_management = 0x0d,
  firmware_commit = 0x10,
  firmware_download = 0x11,
  device_self_test = 0x14,
  doorbell_buffer_config = 0x7c,
  namespace_attachment = 0x15,
  format_nvm = 0x80,
};

/// NVM command set, NVM Command Set Specification §3.2.
enum class IoOpcode : std::uint8_t {
  flush = 0x00,
  write = 0x01,
  read = 0x02,
  write_uncorrectable = 0x04,
  compare = 0x05,
  write_zeroes = 0x08,
  dataset_management = 0x09,
  verify = 0x0c,
  copy = 0x19,
};

/// Key value command set, NVMe Key Value Command Set Specification 1.0 §3.
enum class KvOpcode : std::uint8_t { flush = 0x00, store = 0x01, retrieve = 0x02, list = 0x06, remove = 0x10, exist = 0x14 };

inline constexpr unsigned css_all = 6;  ///< CC.CSS: all command sets that the controller has

/// Command set identifiers, CSI.
enum class CommandSet : std::uint8_t { nvm = 0, key_value = 1 };

enum class Cns : std::uint8_t {  ///< Identify, §5.17
  ns = 0x00,
  controller = 0x01,
  active_ns_list = 0x02,
  ns_descriptors = 0x03,
  csi_ns = 0x05,
  csi_controller = 0x06,
  csi_active_ns_list = 0x07,
  independent_ns = 0x08,
  format_ns = 0x09,
  csi_format_ns = 0x0a,
  allocated_ns_list = 0x10,
  allocated_ns = 0x11,
  controllers_of_ns = 0x12,
  controllers = 0x13,
  ns_granularity = 0x16,
  endurance_groups = 0x19,
  csi_allocated_ns_list = 0x1a,
  command_sets = 0x1c,
};

enum class Feature : std::uint8_t {  ///< §5.27.1
  arbitration = 0x01,
  power_management = 0x02,
  temperature_threshold = 0x04,
  error_recovery = 0x05,
  volatile_write_cache = 0x06,
  number_of_queues = 0x07,
  interrupt_coalescing = 0x08,
  interrupt_vector_configuration = 0x09,
  write_atomicity = 0x0a,
  async_event_configuration = 0x0b,
  timestamp = 0x0e,
  keep_alive = 0x0f,
  command_set_profile = 0x19,
  data_placement = 0x1d,
  host_behavior = 0x16,
  software_progress = 0x80,
};

enum class LogPage : std::uint8_t {  ///< §5.16.1
  supported_pages = 0x00,
  error_information = 0x01,
  smart_health = 0x02,
  firmware_slot = 0x03,
  changed_ns_list = 0x04,
  commands_supported = 0x05,
  self_test = 0x06,
  telemetry_host = 0x07,
  telemetry_controller = 0x08,
  endurance_group = 0x09,
  fdp_configurations = 0x20,
  fdp_usage = 0x21,
  fdp_statistics = 0x22,
  fdp_events = 0x23,
};

/// Asynchronous events, §5.2.1: completion dword 0 = type | info << 8 | log page << 16.
enum class AsyncEventType : std::uint8_t { error_status = 0, smart_health = 1, notice = 2 };
enum class AsyncErrorInfo : std::uint8_t { invalid_doorbell_register = 0, invalid_doorbell_value = 1, persistent_internal_error = 3 };
enum class AsyncSmartInfo : std::uint8_t { reliability = 0, temperature_threshold = 1, spare_below_threshold = 2 };
constexpr std::uint32_t async_event(AsyncEventType type, std::uint8_t info, LogPage page) {
  return static_cast<std::uint32_t>(type) | (std::uint32_t{info} << 8U) | (static_cast<std::uint32_t>(page) << 16U);
}
constexpr std::uint32_t async_event(AsyncEventType type, AsyncErrorInfo info, LogPage page) {
  return async_event(type, static_cast<std::uint8_t>(info), page);
}
constexpr std::uint32_t async_event(AsyncEventType type, AsyncSmartInfo info, LogPage page) {
  return async_event(type, static_cast<std::uint8_t>(info), page);
}

/// Dataset Management range, NVM Command Set Specification §3.2.3; up to 256 of them.
struct DsmRange {
  std::uint32_t context = 0;
  std::uint32_t length = 0;  ///< logical blocks
  std::uint64_t slba = 0;
};
static_assert(sizeof(DsmRange) == 16 && offsetof(DsmRange, slba) == 8);
inline constexpr std::uint32_t dsm_deallocate = 1U << 2U;      ///< CDW11 bit AD
inline constexpr std::uint32_t zeroes_deallocate = 1U << 25U;  ///< Write Zeroes, CDW12 bit DEAC

/// Copy, source range of descriptor format 0h, NVM Command Set Specification §3.2.2; up to 256 of them. Format 1h (40 bytes, for
/// guards of 32 and 64 bits) has slba and nlb at the same places.
struct CopyRange {
  std::uint64_t rsvd0 = 0;
  std::uint64_t slba = 0;
  std::uint16_t nlb = 0;  ///< 0-based
  std::array<std::uint8_t, 6> rsvd18{};
  std::uint32_t eilbrt = 0;
  std::uint16_t elbat = 0;
  std::uint16_t elbatm = 0;
};
static_assert(sizeof(CopyRange) == 32 && offsetof(CopyRange, nlb) == 16 && offsetof(CopyRange, eilbrt) == 24);
inline constexpr std::size_t copy_range_1h = 40;

// ---- scatter gather lists, §4.1.2 ----

enum class SglType : std::uint8_t {
  data_block = 0,
  bit_bucket = 1,
  segment = 2,
  last_segment = 3,
  keyed_data_block = 4,
  transport_data_block = 5
};

struct SglDescriptor {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::array<std::uint8_t, 3> rsvd12{};
  std::uint8_t identifier = 0;  ///< type 7:4, subtype 3:0 (0: an address)

  constexpr SglType type() const { return static_cast<SglType>(identifier >> 4U); }
  constexpr unsigned subtype() const { return identifier & 0xfU; }
  static constexpr SglDescriptor make(SglType type, std::uint64_t address, std::uint32_t length) {
    return {.address = address, .length = length, .rsvd12 = {}, .identifier = static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4U)};
  }
};
static_assert(sizeof(SglDescriptor) == 16 && offsetof(SglDescriptor, length) == 8 && offsetof(SglDescriptor, identifier) == 15);

}  // namespace flashpath::nvme
