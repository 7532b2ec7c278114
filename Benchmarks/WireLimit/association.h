// Connecting, and the commands that set an association up: blocking, and checked.

#pragma once

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "options.h"
#include "pdus.h"

// Of one H2CData PDU, as the controller said last.
static size_t maximum_h2c_data;

static void write_all(int socket, const void *bytes, size_t count) {
  for (const uint8_t *place = bytes; count > 0;) {
    ssize_t written = send(socket, place, count, MSG_NOSIGNAL);
    if (written <= 0) fail("send: %s", strerror(errno));
    place += written;
    count -= (size_t)written;
  }
}

static void read_all(int socket, void *bytes, size_t count) {
  for (uint8_t *place = bytes; count > 0;) {
    ssize_t received = recv(socket, place, count, 0);
    if (received == 0) fail("the controller closed the connection");
    if (received < 0) fail("recv: %s", strerror(errno));
    place += received;
    count -= (size_t)received;
  }
}

static int open_socket(void) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  int problem = getaddrinfo(options.address, options.port, &hints, &found);
  if (problem != 0) fail("%s:%s: %s", options.address, options.port, gai_strerror(problem));
  int result = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (result < 0) fail("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(result, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(result, found->ai_addr, found->ai_addrlen) != 0)
    fail("%s:%s: %s", options.address, options.port, strerror(errno));
  freeaddrinfo(found);

  uint8_t request[128] = {0}, response[128];
  struct common_header *common = (struct common_header *)request;
  *common = (struct common_header){PDU_IC_REQ, 0, 128, 0, 128}; // version 0, no alignment, no digests, one R2T
  write_all(result, request, sizeof request);
  read_all(result, response, sizeof response);
  if (response[0] != PDU_IC_RESP) fail("no ICResp but a PDU of type 0x%02x", response[0]);
  if (response[10] != 0) fail("the controller wants data aligned to %u bytes, which is not supported", (response[10] + 1) * 4);
  memcpy(&common->length, response + 12, 4);
  maximum_h2c_data = common->length;
  return result;
}

// Sends one command and waits for its end; `data_out` goes into the capsule, `data_in` is what came back.
static struct response_pdu execute(
  int socket, struct command_pdu command, const void *data_out, size_t data_out_length, void *data_in, size_t data_in_length,
  const char *name) {
  struct response_pdu response = {0};
  command.common = (struct common_header){
    PDU_COMMAND, 0, COMMAND_LENGTH, data_out_length > 0 ? COMMAND_LENGTH : 0, (uint32_t)(COMMAND_LENGTH + data_out_length)};
  command.flags = 0x40;
  if (data_out_length > 0) {
    command.sgl_type = SGL_IN_CAPSULE;
    command.sgl_length = (uint32_t)data_out_length;
  } else if (command.opcode != 0x7F || data_in_length > 0) {
    command.sgl_type = SGL_TRANSPORT;
    command.sgl_length = (uint32_t)data_in_length;
  }
  write_all(socket, &command, sizeof command);
  if (data_out_length > 0) write_all(socket, data_out, data_out_length);
  while (true) {
    uint8_t header[RECEIVED_HEADER_LENGTH];
    read_all(socket, header, sizeof header);
    if (header[0] == PDU_C2H_DATA) {
      struct data_pdu data;
      memcpy(&data, header, sizeof data);
      if ((size_t)data.offset + data.length > data_in_length) fail("%s: more data than asked for", name);
      for (unsigned gap = data.common.data_offset; gap > RECEIVED_HEADER_LENGTH; gap--) read_all(socket, header, 1);
      read_all(socket, (uint8_t *)data_in + data.offset, data.length);
      if (data.common.flags & DATA_SUCCESS) return response;
    } else if (header[0] == PDU_RESPONSE) {
      memcpy(&response, header, sizeof response);
      if (response.status >> 1) fail("%s: status 0x%03x", name, response.status >> 1 & 0x7FF);
      return response;
    } else {
      fail("%s: a PDU of type 0x%02x came", name, header[0]);
    }
  }
}

enum { FABRICS_PROPERTY_SET = 0x00, FABRICS_CONNECT = 0x01, FABRICS_PROPERTY_GET = 0x04 };

static uint16_t connect_queue(int socket, uint16_t queue, unsigned entries, uint16_t controller) {
  uint8_t data[1024] = {0};
  // A host identifier of our own, so that a target that tells hosts apart by it does not mix us up.
  memcpy(data, "wire-limit-host!", 16);
  memcpy(data + 16, &controller, 2);
  snprintf((char *)data + 256, 256, "%s", options.subsystem);
  snprintf((char *)data + 512, 256, "%s", options.host);
  struct command_pdu command = {.opcode = 0x7F, .namespace_identifier = FABRICS_CONNECT};
  command.dword10 = (uint32_t)queue << 16;
  // Without flow control of the submission queue the controller may end a read with its data; SPDK's goes by what the admin
  // queue has asked for.
  command.dword11 = (entries - 1) | 0x04u << 16;
  command.dword12 = 0; // no keep alive
  return (uint16_t)execute(socket, command, data, sizeof data, NULL, 0, queue ? "Connect of an I/O queue" : "Connect").result_low;
}

static uint64_t get_property(int socket, uint32_t offset, bool is_wide) {
  struct command_pdu command = {.opcode = 0x7F, .namespace_identifier = FABRICS_PROPERTY_GET};
  command.dword10 = is_wide;
  command.dword11 = offset;
  struct response_pdu response = execute(socket, command, NULL, 0, NULL, 0, "Property Get");
  return response.result_low | (is_wide ? (uint64_t)response.result_high << 32 : 0);
}

static void set_property(int socket, uint32_t offset, uint32_t value) {
  struct command_pdu command = {.opcode = 0x7F, .namespace_identifier = FABRICS_PROPERTY_SET};
  command.dword11 = offset;
  command.dword12 = value;
  execute(socket, command, NULL, 0, NULL, 0, "Property Set");
}
