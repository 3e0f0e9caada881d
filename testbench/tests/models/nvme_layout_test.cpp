// SPDX-License-Identifier: Apache-2.0
// Our wire structures against somebody else's reading of the same standard: Debian's libnvme (LGPL, headers only, tests only).
// Sizes, offsets and widths of every field, register offsets, opcodes, status codes. Skipped when libnvme-dev is not installed.
#include <gtest/gtest.h>

#include "nvme/spec.h"
#include "nvme/spec_identify.h"
#include "nvme/spec_log.h"

#if __has_include(<nvme/types.h>)
#include <nvme/types.h>

namespace flashpath::nvme {
namespace {

template <class E>
constexpr std::uint64_t value(E e) {
  return static_cast<std::uint64_t>(e);
}

void same(const char* field, std::size_t at, std::size_t size, std::size_t their_at, std::size_t their_size) {
  EXPECT_EQ(at, their_at) << "offset of " << field;
  EXPECT_EQ(size, their_size) << "size of " << field;
}
#define SAME_SIZE(ours, theirs) same(#ours, 0, sizeof(ours), 0, sizeof(struct theirs))
#define SAME(ours, field, theirs, other)                                                              \
  same(#ours "::" #field, offsetof(ours, field), sizeof(ours::field), offsetof(struct theirs, other), \
       sizeof(static_cast<struct theirs*>(nullptr)->other))

TEST(NvmeLayout, IdentifyController) {
  SAME_SIZE(IdentifyController, nvme_id_ctrl);
  SAME_SIZE(PowerState, nvme_id_psd);
#define CTRL(field) SAME(IdentifyController, field, nvme_id_ctrl, field)
  CTRL(vid), CTRL(ssvid), CTRL(sn), CTRL(mn), CTRL(fr), CTRL(rab), CTRL(ieee), CTRL(cmic), CTRL(mdts), CTRL(cntlid), CTRL(ver);
  CTRL(rtd3r), CTRL(rtd3e), CTRL(oaes), CTRL(ctratt), CTRL(rrls), CTRL(cntrltype), CTRL(fguid), CTRL(crdt1), CTRL(crdt2), CTRL(crdt3);
  CTRL(nvmsr), CTRL(vwci), CTRL(mec), CTRL(oacs), CTRL(acl), CTRL(aerl), CTRL(frmw), CTRL(lpa), CTRL(elpe), CTRL(npss), CTRL(avscc);
  CTRL(apsta), CTRL(wctemp), CTRL(cctemp), CTRL(mtfa), CTRL(hmpre), CTRL(hmmin), CTRL(tnvmcap), CTRL(unvmcap), CTRL(rpmbs), CTRL(edstt);
  CTRL(dsto), CTRL(fwug), CTRL(kas), CTRL(hctma), CTRL(mntmt), CTRL(mxtmt), CTRL(sanicap), CTRL(hmminds), CTRL(hmmaxd), CTRL(nsetidmax);
  CTRL(endgidmax), CTRL(anatt), CTRL(anacap), CTRL(anagrpmax), CTRL(nanagrpid), CTRL(pels), CTRL(domainid), CTRL(megcap), CTRL(sqes);
  CTRL(cqes), CTRL(maxcmd), CTRL(nn), CTRL(oncs), CTRL(fuses), CTRL(fna), CTRL(vwc), CTRL(awun), CTRL(awupf), CTRL(icsvscc), CTRL(nwpc);
  CTRL(acwu), CTRL(sgls), CTRL(mnan), CTRL(maxdna), CTRL(maxcna), CTRL(subnqn), CTRL(psd), CTRL(vs);
#undef CTRL
  SAME(IdentifyController, cdfs, nvme_id_ctrl, ocfs);
  SAME(PowerState, mp, nvme_id_psd, mp), SAME(PowerState, flags, nvme_id_psd, flags);
  SAME(PowerState, enlat, nvme_id_psd, enlat), SAME(PowerState, exlat, nvme_id_psd, exlat);
}

TEST(NvmeLayout, IdentifyNamespace) {
  SAME_SIZE(IdentifyNamespace, nvme_id_ns);
  SAME_SIZE(LbaFormat, nvme_lbaf);
#define NS(field) SAME(IdentifyNamespace, field, nvme_id_ns, field)
  NS(nsze), NS(ncap), NS(nuse), NS(nsfeat), NS(nlbaf), NS(flbas), NS(mc), NS(dpc), NS(dps), NS(nmic), NS(rescap), NS(fpi), NS(dlfeat);
  NS(nawun), NS(nawupf), NS(nacwu), NS(nabsn), NS(nabo), NS(nabspf), NS(noiob), NS(nvmcap), NS(npwg), NS(npwa), NS(npdg), NS(npda);
  NS(nows), NS(mssrl), NS(mcl), NS(msrc), NS(anagrpid), NS(nsattr), NS(nvmsetid), NS(endgid), NS(nguid), NS(eui64), NS(lbaf);
#undef NS
  SAME(LbaFormat, ms, nvme_lbaf, ms), SAME(LbaFormat, lbads, nvme_lbaf, ds), SAME(LbaFormat, rp, nvme_lbaf, rp);
  EXPECT_EQ(sizeof(NsDescriptorHead), offsetof(struct nvme_ns_id_desc, nid));
  SAME(NsDescriptorHead, nidt, nvme_ns_id_desc, nidt), SAME(NsDescriptorHead, nidl, nvme_ns_id_desc, nidl);
}

TEST(NvmeLayout, LogPages) {
  SAME_SIZE(ErrorEntry, nvme_error_log_page);
  SAME(ErrorEntry, error_count, nvme_error_log_page, error_count), SAME(ErrorEntry, sqid, nvme_error_log_page, sqid);
  SAME(ErrorEntry, cid, nvme_error_log_page, cmdid), SAME(ErrorEntry, status, nvme_error_log_page, status_field);
  SAME(ErrorEntry, parameter_location, nvme_error_log_page, parm_error_location), SAME(ErrorEntry, lba, nvme_error_log_page, lba);
  SAME(ErrorEntry, nsid, nvme_error_log_page, nsid), SAME(ErrorEntry, vendor_log, nvme_error_log_page, vs);
  SAME(ErrorEntry, trtype, nvme_error_log_page, trtype), SAME(ErrorEntry, command_specific, nvme_error_log_page, cs);
  SAME(ErrorEntry, transport_specific, nvme_error_log_page, trtype_spec_info);
  SAME_SIZE(SmartLog, nvme_smart_log);
  SAME(SmartLog, critical_warning, nvme_smart_log, critical_warning), SAME(SmartLog, composite_temperature, nvme_smart_log, temperature);
  SAME(SmartLog, available_spare, nvme_smart_log, avail_spare), SAME(SmartLog, available_spare_threshold, nvme_smart_log, spare_thresh);
  SAME(SmartLog, percentage_used, nvme_smart_log, percent_used);
  SAME(SmartLog, endurance_group_critical_warning, nvme_smart_log, endu_grp_crit_warn_sumry);
  SAME(SmartLog, data_units_read, nvme_smart_log, data_units_read), SAME(SmartLog, data_units_written, nvme_smart_log, data_units_written);
  SAME(SmartLog, host_read_commands, nvme_smart_log, host_reads), SAME(SmartLog, host_write_commands, nvme_smart_log, host_writes);
  SAME(SmartLog, controller_busy_time, nvme_smart_log, ctrl_busy_time), SAME(SmartLog, power_cycles, nvme_smart_log, power_cycles);
  SAME(SmartLog, power_on_hours, nvme_smart_log, power_on_hours), SAME(SmartLog, unsafe_shutdowns, nvme_smart_log, unsafe_shutdowns);
  SAME(SmartLog, media_errors, nvme_smart_log, media_errors), SAME(SmartLog, error_log_entries, nvme_smart_log, num_err_log_entries);
  SAME(SmartLog, warning_temperature_time, nvme_smart_log, warning_temp_time);
  SAME(SmartLog, critical_temperature_time, nvme_smart_log, critical_comp_time);
  SAME(SmartLog, temperature_sensors, nvme_smart_log, temp_sensor);
  EXPECT_EQ(offsetof(SmartLog, thermal_management), offsetof(struct nvme_smart_log, thm_temp1_trans_count));
  SAME_SIZE(FirmwareSlotLog, nvme_firmware_slot);
  SAME(FirmwareSlotLog, afi, nvme_firmware_slot, afi), SAME(FirmwareSlotLog, frs, nvme_firmware_slot, frs);
  SAME_SIZE(CommandEffectsLog, nvme_cmd_effects_log);
  SAME(CommandEffectsLog, admin, nvme_cmd_effects_log, acs), SAME(CommandEffectsLog, io, nvme_cmd_effects_log, iocs);
  SAME_SIZE(DsmRange, nvme_dsm_range);
  SAME(DsmRange, length, nvme_dsm_range, nlb), SAME(DsmRange, slba, nvme_dsm_range, slba);
}

TEST(NvmeLayout, Registers) {
  EXPECT_EQ(value(Register::cap), NVME_REG_CAP);
  EXPECT_EQ(value(Register::vs), NVME_REG_VS);
  EXPECT_EQ(value(Register::intms), NVME_REG_INTMS);
  EXPECT_EQ(value(Register::intmc), NVME_REG_INTMC);
  EXPECT_EQ(value(Register::cc), NVME_REG_CC);
  EXPECT_EQ(value(Register::csts), NVME_REG_CSTS);
  EXPECT_EQ(value(Register::nssr), NVME_REG_NSSR);
  EXPECT_EQ(value(Register::aqa), NVME_REG_AQA);
  EXPECT_EQ(value(Register::asq), NVME_REG_ASQ);
  EXPECT_EQ(value(Register::acq), NVME_REG_ACQ);
  EXPECT_EQ(value(Register::cmbloc), NVME_REG_CMBLOC);
  EXPECT_EQ(value(Register::cmbsz), NVME_REG_CMBSZ);
  EXPECT_EQ(value(Register::bpinfo), NVME_REG_BPINFO);
  EXPECT_EQ(value(Register::crto), NVME_REG_CRTO);

  const Cap cap = Cap::make(1023, 20, 2, 1, 4);
  EXPECT_EQ(NVME_CAP_MQES(cap.raw), cap.mqes());
  EXPECT_EQ(NVME_CAP_CQR(cap.raw), cap.cqr() ? 1U : 0U);
  EXPECT_EQ(NVME_CAP_TO(cap.raw), cap.to());
  EXPECT_EQ(NVME_CAP_DSTRD(cap.raw), cap.dstrd());
  EXPECT_EQ(NVME_CAP_CSS(cap.raw), cap.css());
  EXPECT_EQ(NVME_CAP_MPSMIN(cap.raw), cap.mpsmin());
  EXPECT_EQ(NVME_CAP_MPSMAX(cap.raw), cap.mpsmax());
  EXPECT_EQ(NVME_CAP_CRMS(cap.raw), 1U);  // CRWMS
  const Cc cc = Cc::make(true, 3, 2);
  EXPECT_EQ(NVME_CC_EN(cc.raw), cc.en() ? 1U : 0U);
  EXPECT_EQ(NVME_CC_MPS(cc.raw), cc.mps());
  EXPECT_EQ(NVME_CC_SHN(cc.raw), cc.shn());
  EXPECT_EQ(NVME_CC_IOSQES(cc.raw), cc.iosqes());
  EXPECT_EQ(NVME_CC_IOCQES(cc.raw), cc.iocqes());
  const Cc every{0x00ab'cdf1};
  EXPECT_EQ(NVME_CC_CSS(every.raw), every.css());
  EXPECT_EQ(NVME_CC_AMS(every.raw), every.ams());
  for (const std::uint32_t raw : {1U, 2U, 4U, 8U, 0xfU}) {
    const Csts csts{raw};
    EXPECT_EQ(NVME_CSTS_RDY(raw), csts.rdy() ? 1U : 0U);
    EXPECT_EQ(NVME_CSTS_CFS(raw), csts.cfs() ? 1U : 0U);
    EXPECT_EQ(NVME_CSTS_SHST(raw), csts.shst());
  }
}

TEST(NvmeLayout, Opcodes) {
  EXPECT_EQ(value(AdminOpcode::delete_io_sq), nvme_admin_delete_sq);
  EXPECT_EQ(value(AdminOpcode::create_io_sq), nvme_admin_create_sq);
  EXPECT_EQ(value(AdminOpcode::get_log_page), nvme_admin_get_log_page);
  EXPECT_EQ(value(AdminOpcode::delete_io_cq), nvme_admin_delete_cq);
  EXPECT_EQ(value(AdminOpcode::create_io_cq), nvme_admin_create_cq);
  EXPECT_EQ(value(AdminOpcode::identify), nvme_admin_identify);
  EXPECT_EQ(value(AdminOpcode::abort), nvme_admin_abort_cmd);
  EXPECT_EQ(value(AdminOpcode::set_features), nvme_admin_set_features);
  EXPECT_EQ(value(AdminOpcode::get_features), nvme_admin_get_features);
  EXPECT_EQ(value(AdminOpcode::async_event_request), nvme_admin_async_event);
  EXPECT_EQ(value(AdminOpcode::format_nvm), nvme_admin_format_nvm);
  EXPECT_EQ(value(IoOpcode::flush), nvme_cmd_flush);
  EXPECT_EQ(value(IoOpcode::write), nvme_cmd_write);
  EXPECT_EQ(value(IoOpcode::read), nvme_cmd_read);
  EXPECT_EQ(value(IoOpcode::write_zeroes), nvme_cmd_write_zeroes);
  EXPECT_EQ(value(IoOpcode::dataset_management), nvme_cmd_dsm);
  EXPECT_EQ(dsm_deallocate, NVME_DSMGMT_AD);
}

TEST(NvmeLayout, FeaturesAndLogs) {
  EXPECT_EQ(value(Feature::arbitration), NVME_FEAT_FID_ARBITRATION);
  EXPECT_EQ(value(Feature::power_management), NVME_FEAT_FID_POWER_MGMT);
  EXPECT_EQ(value(Feature::temperature_threshold), NVME_FEAT_FID_TEMP_THRESH);
  EXPECT_EQ(value(Feature::error_recovery), NVME_FEAT_FID_ERR_RECOVERY);
  EXPECT_EQ(value(Feature::volatile_write_cache), NVME_FEAT_FID_VOLATILE_WC);
  EXPECT_EQ(value(Feature::number_of_queues), NVME_FEAT_FID_NUM_QUEUES);
  EXPECT_EQ(value(Feature::interrupt_coalescing), NVME_FEAT_FID_IRQ_COALESCE);
  EXPECT_EQ(value(Feature::interrupt_vector_configuration), NVME_FEAT_FID_IRQ_CONFIG);
  EXPECT_EQ(value(Feature::write_atomicity), NVME_FEAT_FID_WRITE_ATOMIC);
  EXPECT_EQ(value(Feature::async_event_configuration), NVME_FEAT_FID_ASYNC_EVENT);
  EXPECT_EQ(value(Feature::timestamp), NVME_FEAT_FID_TIMESTAMP);
  EXPECT_EQ(value(LogPage::supported_pages), NVME_LOG_LID_SUPPORTED_LOG_PAGES);
  EXPECT_EQ(value(LogPage::error_information), NVME_LOG_LID_ERROR);
  EXPECT_EQ(value(LogPage::smart_health), NVME_LOG_LID_SMART);
  EXPECT_EQ(value(LogPage::firmware_slot), NVME_LOG_LID_FW_SLOT);
  EXPECT_EQ(value(LogPage::changed_ns_list), NVME_LOG_LID_CHANGED_NS);
  EXPECT_EQ(value(LogPage::commands_supported), NVME_LOG_LID_CMD_EFFECTS);
  EXPECT_EQ(value(AsyncEventType::error_status), NVME_AER_ERROR);
  EXPECT_EQ(value(AsyncEventType::smart_health), NVME_AER_SMART);
  EXPECT_EQ(value(AsyncEventType::notice), NVME_AER_NOTICE);
  EXPECT_EQ(value(AsyncErrorInfo::invalid_doorbell_register), NVME_AER_ERROR_INVALID_DB_REG);
  EXPECT_EQ(value(AsyncErrorInfo::invalid_doorbell_value), NVME_AER_ERROR_INVALID_DB_VAL);
  EXPECT_EQ(value(AsyncErrorInfo::persistent_internal_error), NVME_AER_ERROR_PERSISTENT_INTERNAL_ERROR);
}

TEST(NvmeLayout, StatusCodes) {
  const auto generic = [](unsigned code) { return code; };
  const auto specific = [](unsigned code) { return 0x100U | code; };
  const auto media = [](unsigned code) { return 0x200U | code; };
  const auto path = [](unsigned code) { return 0x300U | code; };
  EXPECT_EQ(value(Status::invalid_opcode), generic(NVME_SC_INVALID_OPCODE));
  EXPECT_EQ(value(Status::invalid_field), generic(NVME_SC_INVALID_FIELD));
  EXPECT_EQ(value(Status::cid_conflict), generic(NVME_SC_CMDID_CONFLICT));
  EXPECT_EQ(value(Status::data_transfer_error), generic(NVME_SC_DATA_XFER_ERROR));
  EXPECT_EQ(value(Status::power_loss_abort), generic(NVME_SC_POWER_LOSS));
  EXPECT_EQ(value(Status::internal_error), generic(NVME_SC_INTERNAL));
  EXPECT_EQ(value(Status::abort_requested), generic(NVME_SC_ABORT_REQ));
  EXPECT_EQ(value(Status::aborted_sq_deletion), generic(NVME_SC_ABORT_QUEUE));
  EXPECT_EQ(value(Status::invalid_namespace), generic(NVME_SC_INVALID_NS));
  EXPECT_EQ(value(Status::command_sequence_error), generic(NVME_SC_CMD_SEQ_ERROR));
  EXPECT_EQ(value(Status::prp_offset_invalid), generic(NVME_SC_PRP_INVALID_OFFSET));
  EXPECT_EQ(value(Status::lba_out_of_range), generic(NVME_SC_LBA_RANGE));
  EXPECT_EQ(value(Status::capacity_exceeded), generic(NVME_SC_CAP_EXCEEDED));
  EXPECT_EQ(value(Status::format_in_progress), generic(NVME_SC_FORMAT_IN_PROGRESS));
  EXPECT_EQ(value(Status::cq_invalid), specific(NVME_SC_CQ_INVALID));
  EXPECT_EQ(value(Status::invalid_qid), specific(NVME_SC_QID_INVALID));
  EXPECT_EQ(value(Status::invalid_queue_size), specific(NVME_SC_QUEUE_SIZE));
  EXPECT_EQ(value(Status::abort_limit_exceeded), specific(NVME_SC_ABORT_LIMIT));
  EXPECT_EQ(value(Status::aer_limit_exceeded), specific(NVME_SC_ASYNC_LIMIT));
  EXPECT_EQ(value(Status::invalid_interrupt_vector), specific(NVME_SC_INVALID_VECTOR));
  EXPECT_EQ(value(Status::invalid_log_page), specific(NVME_SC_INVALID_LOG_PAGE));
  EXPECT_EQ(value(Status::invalid_format), specific(NVME_SC_INVALID_FORMAT));
  EXPECT_EQ(value(Status::invalid_queue_deletion), specific(NVME_SC_INVALID_QUEUE));
  EXPECT_EQ(value(Status::feature_not_saveable), specific(NVME_SC_FEATURE_NOT_SAVEABLE));
  EXPECT_EQ(value(Status::feature_not_changeable), specific(NVME_SC_FEATURE_NOT_CHANGEABLE));
  EXPECT_EQ(value(Status::write_fault), media(NVME_SC_WRITE_FAULT));
  EXPECT_EQ(value(Status::unrecovered_read_error), media(NVME_SC_READ_ERROR));
  EXPECT_EQ(value(Status::aborted_by_host), path(NVME_SC_CMD_ABORTED_BY_HOST));
  EXPECT_EQ(status_dnr >> 1U, NVME_SC_DNR);
  EXPECT_EQ(status_more >> 1U, NVME_SC_MORE);
}

}  // namespace
}  // namespace flashpath::nvme

#else
TEST(NvmeLayout, NeedsLibnvmeDev) {
  GTEST_SKIP() << "nvme/types.h not found: install libnvme-dev to compare our structures with libnvme's";
}
#endif
