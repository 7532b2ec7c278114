// What the wire looks like (NVMe/TCP Transport Specification 1.1, section 3.6).

#pragma once

#include <stdint.h>

enum pdu_type {
  PDU_IC_REQ = 0x00,
  PDU_IC_RESP = 0x01,
  PDU_H2C_TERM = 0x02,
  PDU_C2H_TERM = 0x03,
  PDU_COMMAND = 0x04,
  PDU_RESPONSE = 0x05,
  PDU_H2C_DATA = 0x06,
  PDU_C2H_DATA = 0x07,
  PDU_R2T = 0x09,
};

enum { DATA_LAST = 0x04, DATA_SUCCESS = 0x08 };

struct common_header {
  uint8_t type, flags, header_length, data_offset;
  uint32_t length;
} __attribute__((packed));

// Every PDU a controller sends after ICResp has a header of 24 bytes.
enum { RECEIVED_HEADER_LENGTH = 24, COMMAND_LENGTH = 72, H2C_HEADER_LENGTH = 24 };

struct response_pdu {
  struct common_header common;
  uint32_t result_low, result_high;
  uint16_t queue_head, queue_identifier, command_identifier, status;
} __attribute__((packed));

struct data_pdu { // C2HData and H2CData
  struct common_header common;
  uint16_t command_identifier, transfer_tag;
  uint32_t offset, length, reserved;
} __attribute__((packed));

struct r2t_pdu {
  struct common_header common;
  uint16_t command_identifier, transfer_tag;
  uint32_t offset, length, reserved;
} __attribute__((packed));

struct command_pdu {
  struct common_header common;
  uint8_t opcode, flags;
  uint16_t command_identifier;
  uint32_t namespace_identifier; // Fabrics commands: FCTYPE in the low byte
  uint32_t dword2, dword3;
  uint64_t metadata;
  uint64_t sgl_address;
  uint32_t sgl_length;
  uint8_t sgl_reserved[3], sgl_type;
  uint32_t dword10, dword11, dword12, dword13, dword14, dword15;
} __attribute__((packed));

enum { SGL_IN_CAPSULE = 0x01, SGL_TRANSPORT = 0x5A };

_Static_assert(sizeof(struct response_pdu) == RECEIVED_HEADER_LENGTH, "response capsule");
_Static_assert(sizeof(struct data_pdu) == RECEIVED_HEADER_LENGTH, "data");
_Static_assert(sizeof(struct r2t_pdu) == RECEIVED_HEADER_LENGTH, "R2T");
_Static_assert(sizeof(struct command_pdu) == COMMAND_LENGTH, "command capsule");
