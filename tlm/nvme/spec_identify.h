// SPDX-License-Identifier: Apache-2.0
// Identify data structures: controller (NVMe Base Specification 2.0 §5.17.2.1), namespace (NVM Command Set
// Specification 1.0 §4.1.5.1), namespace identification descriptor (§5.17.2.3). 4096 bytes each.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace flashpath::nvme {

using U128 = std::array<std::uint64_t, 2>;  ///< little-endian, low half first

struct PowerState {  // §5.17.2.1, power state descriptor
  std::uint16_t mp;  ///< maximum power in 10 mW
  std::uint8_t rsvd2;
  std::uint8_t flags;
  std::uint32_t enlat;
  std::uint32_t exlat;
  std::array<std::uint8_t, 20> rest;
};
static_assert(sizeof(PowerState) == 32);

struct IdentifyController {
  std::uint16_t vid;
  std::uint16_t ssvid;
  std::array<char, 20> sn;
  std::array<char, 40> mn;
  std::array<char, 8> fr;
  std::uint8_t rab;
  std::array<std::uint8_t, 3> ieee;
  std::uint8_t cmic;
  std::uint8_t mdts;  ///< 2^n minimum pages, 0: no limit
  std::uint16_t cntlid;
  std::uint32_t ver;
  std::uint32_t rtd3r;
  std::uint32_t rtd3e;
  std::uint32_t oaes;
  std::uint32_t ctratt;
  std::uint16_t rrls;
  std::array<std::uint8_t, 9> rsvd102;
  std::uint8_t cntrltype;  ///< 1: I/O controller
  std::array<std::uint8_t, 16> fguid;
  std::uint16_t crdt1;
  std::uint16_t crdt2;
  std::uint16_t crdt3;
  std::array<std::uint8_t, 119> rsvd134;
  std::uint8_t nvmsr;
  std::uint8_t vwci;
  std::uint8_t mec;
  std::uint16_t oacs;
  std::uint8_t acl;   ///< 0-based
  std::uint8_t aerl;  ///< 0-based
  std::uint8_t frmw;
  std::uint8_t lpa;
  std::uint8_t elpe;  ///< 0-based
  std::uint8_t npss;
  std::uint8_t avscc;
  std::uint8_t apsta;
  std::uint16_t wctemp;
  std::uint16_t cctemp;
  std::uint16_t mtfa;
  std::uint32_t hmpre;
  std::uint32_t hmmin;
  U128 tnvmcap;
  U128 unvmcap;
  std::uint32_t rpmbs;
  std::uint16_t edstt;
  std::uint8_t dsto;
  std::uint8_t fwug;
  std::uint16_t kas;
  std::uint16_t hctma;
  std::uint16_t mntmt;
  std::uint16_t mxtmt;
  std::uint32_t sanicap;
  std::uint32_t hmminds;
  std::uint16_t hmmaxd;
  std::uint16_t nsetidmax;
  std::uint16_t endgidmax;
  std::uint8_t anatt;
  std::uint8_t anacap;
  std::uint32_t anagrpmax;
  std::uint32_t nanagrpid;
  std::uint32_t pels;
  std::uint16_t domainid;
  std::array<std::uint8_t, 10> rsvd358;
  U128 megcap;
  std::array<std::uint8_t, 128> rsvd384;
  std::uint8_t sqes;
  std::uint8_t cqes;
  std::uint16_t maxcmd;
  std::uint32_t nn;
  std::uint16_t oncs;
  std::uint16_t fuses;
  std::uint8_t fna;
  std::uint8_t vwc;
  std::uint16_t awun;
  std::uint16_t awupf;
  std::uint8_t icsvscc;
  std::uint8_t nwpc;
  std::uint16_t acwu;
  std::uint16_t cdfs;
  std::uint32_t sgls;
  std::uint32_t mnan;
  U128 maxdna;
  std::uint32_t maxcna;
  std::array<std::uint8_t, 204> rsvd564;
  std::array<char, 256> subnqn;
  std::array<std::uint8_t, 1024> rsvd1024;
  std::array<PowerState, 32> psd;
  std::array<std::uint8_t, 1024> vs;
};
static_assert(sizeof(IdentifyController) == 4096);
static_assert(offsetof(IdentifyController, mdts) == 77);
static_assert(offsetof(IdentifyController, ver) == 80);
static_assert(offsetof(IdentifyController, ctratt) == 96);
static_assert(offsetof(IdentifyController, cntrltype) == 111);
static_assert(offsetof(IdentifyController, oacs) == 256);
static_assert(offsetof(IdentifyController, elpe) == 262);
static_assert(offsetof(IdentifyController, wctemp) == 266);
static_assert(offsetof(IdentifyController, tnvmcap) == 280);
static_assert(offsetof(IdentifyController, kas) == 320);
static_assert(offsetof(IdentifyController, sanicap) == 328);
static_assert(offsetof(IdentifyController, anagrpmax) == 344);
static_assert(offsetof(IdentifyController, megcap) == 368);
static_assert(offsetof(IdentifyController, sqes) == 512);
static_assert(offsetof(IdentifyController, nn) == 516);
static_assert(offsetof(IdentifyController, oncs) == 520);
static_assert(offsetof(IdentifyController, vwc) == 525);
static_assert(offsetof(IdentifyController, sgls) == 536);
static_assert(offsetof(IdentifyController, maxdna) == 544);
static_assert(offsetof(IdentifyController, subnqn) == 768);
static_assert(offsetof(IdentifyController, psd) == 2048);
static_assert(offsetof(IdentifyController, vs) == 3072);

struct LbaFormat {
  std::uint16_t ms;
  std::uint8_t lbads;  ///< 2^n bytes
  std::uint8_t rp;
};

struct IdentifyNamespace {
  std::uint64_t nsze;
  std::uint64_t ncap;
  std::uint64_t nuse;
  std::uint8_t nsfeat;
  std::uint8_t nlbaf;  ///< 0-based
  std::uint8_t flbas;
  std::uint8_t mc;
  std::uint8_t dpc;
  std::uint8_t dps;
  std::uint8_t nmic;
  std::uint8_t rescap;
  std::uint8_t fpi;
  std::uint8_t dlfeat;
  std::uint16_t nawun;
  std::uint16_t nawupf;
  std::uint16_t nacwu;
  std::uint16_t nabsn;
  std::uint16_t nabo;
  std::uint16_t nabspf;
  std::uint16_t noiob;
  U128 nvmcap;
  std::uint16_t npwg;  ///< 0-based, like the three below
  std::uint16_t npwa;
  std::uint16_t npdg;
  std::uint16_t npda;
  std::uint16_t nows;
  std::uint16_t mssrl;
  std::uint32_t mcl;
  std::uint8_t msrc;
  std::array<std::uint8_t, 11> rsvd81;
  std::uint32_t anagrpid;
  std::array<std::uint8_t, 3> rsvd96;
  std::uint8_t nsattr;
  std::uint16_t nvmsetid;
  std::uint16_t endgid;
  std::array<std::uint8_t, 16> nguid;
  std::array<std::uint8_t, 8> eui64;
  std::array<LbaFormat, 64> lbaf;
  std::array<std::uint8_t, 3712> vs;
};
static_assert(sizeof(IdentifyNamespace) == 4096);
static_assert(offsetof(IdentifyNamespace, nsfeat) == 24);
static_assert(offsetof(IdentifyNamespace, dlfeat) == 33);
static_assert(offsetof(IdentifyNamespace, noiob) == 46);
static_assert(offsetof(IdentifyNamespace, npwg) == 64);
static_assert(offsetof(IdentifyNamespace, mcl) == 76);
static_assert(offsetof(IdentifyNamespace, anagrpid) == 92);
static_assert(offsetof(IdentifyNamespace, nsattr) == 99);
static_assert(offsetof(IdentifyNamespace, nguid) == 104);
static_assert(offsetof(IdentifyNamespace, lbaf) == 128);
static_assert(offsetof(IdentifyNamespace, vs) == 384);

/// Identify Namespace of the key value command set, CNS 05h with CSI 01h (Key Value Command Set 1.0 §4.1.5.1).
struct KvFormat {
  std::uint16_t key_max;  ///< bytes
  std::uint8_t rsvd2;
  std::uint8_t options;
  std::uint32_t value_max;  ///< bytes
  std::uint32_t keys_max;   ///< 0: no limit
  std::uint32_t rsvd12;
};
struct IdentifyKvNamespace {
  std::uint64_t nsze;  ///< bytes
  std::uint64_t rsvd8;
  std::uint64_t nuse;
  std::uint8_t nsfeat;
  std::uint8_t nkvf;  ///< formats, 0-based
  std::uint8_t nmic;
  std::uint8_t rescap;
  std::uint8_t fpi;
  std::array<std::uint8_t, 3> rsvd29;
  std::uint32_t novg;  ///< optimal granularity of values
  std::uint32_t anagrpid;
  std::array<std::uint8_t, 3> rsvd40;
  std::uint8_t nsattr;
  std::uint16_t nvmsetid;
  std::uint16_t endgid;
  std::array<std::uint8_t, 16> nguid;
  std::array<std::uint8_t, 8> eui64;
  std::array<KvFormat, 16> format;
  std::array<std::uint8_t, 3768> rest;
};
static_assert(sizeof(IdentifyKvNamespace) == 4096 && offsetof(IdentifyKvNamespace, novg) == 32);
static_assert(offsetof(IdentifyKvNamespace, nguid) == 48 && offsetof(IdentifyKvNamespace, format) == 72);

/// Namespace identifier types of CNS 03h; each descriptor is this head and `nidl` bytes.
struct NsDescriptorHead {
  std::uint8_t nidt;  ///< 1 EUI64, 2 NGUID, 3 UUID, 4 CSI
  std::uint8_t nidl;
  std::uint16_t rsvd2;
};
static_assert(sizeof(NsDescriptorHead) == 4);

}  // namespace flashpath::nvme
