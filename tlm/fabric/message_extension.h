// SPDX-License-Identifier: Apache-2.0
// How a message crosses a TLM-2.0 socket. Always a WRITE to address 0 whose length is what the wire carries: the data of
// read_data and write_data (`message.size`; the data pointer shows the bytes when transfer.carries_data), else the
// constants of message.h. Sent when the sender has all of it; BEGIN_REQ to the client is its last byte's arrival.
#pragma once
#include <tlm>

#include "fabric/message.h"
#include "kernel/transfer.h"

namespace flashpath::fabric {

struct MessageExtension : tlm::tlm_extension<MessageExtension> {
  Message message;
  tlm::tlm_extension_base* clone() const override { return new MessageExtension(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override { message = static_cast<const MessageExtension&>(other).message; }
  void free() override {}  // lives inside its pool's payload
};

using MessagePool = PayloadPool<MessageExtension>;

/// The message a payload carries; nullptr if it carries none.
inline Message* message_of(Payload& payload) {
  auto* extension = extension_of<MessageExtension>(payload);
  return extension == nullptr ? nullptr : &extension->message;
}

}  // namespace flashpath::fabric
