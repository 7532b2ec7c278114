// wire-limit: what nobody can beat on this machine.
//
// A minimal NVMe/TCP host that sends valid commands to one namespace and counts the responses with the least work
// possible. Nothing that a real initiator must do beside that is done: received payload stays where it was received,
// no identifier, length, order or digest is checked, nothing is ever retried. It is a yardstick, not an example.
//
// One thread drives every connection. How it waits and how it talks to the kernel is the variant:
//
//   plain-spin       non-blocking send and recv, never sleeps
//   plain-wait       recv that blocks (epoll for several connections)
//   ring-spin        io_uring, one receive armed a connection, never sleeps
//   ring-wait        io_uring, one system call a turn that submits and waits
//   multishot-spin   as ring-spin, with multishot receive into a pool of provided buffers
//   multishot-wait   as ring-wait, with the same
//
// Build: cc -O2 -o wire-limit wire-limit.c -luring

#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocate.h"
#include "association.h"
#include "command-line.h"
#include "connection.h"
#include "latencies.h"
#include "options.h"
#include "pdus.h"
#include "plain-sockets.h"
#include "ring.h"
#include "window.h"

static void set_up_queues(void) {
  int admin = open_socket();
  uint16_t controller = connect_queue(admin, 0, 32, 0xFFFF);
  uint64_t capabilities = get_property(admin, 0x00, true);
  set_property(admin, 0x14, 0x00460001); // CC: enabled, 64-byte and 16-byte entries
  for (unsigned attempt = 0; !(get_property(admin, 0x1C, false) & 1); attempt++) {
    if (attempt > 10000) fail("the controller did not become ready in 10 s");
    usleep(1000);
  }
  static uint8_t identify[4096];
  execute(admin, (struct command_pdu){.opcode = 0x06, .dword10 = 1}, NULL, 0, identify, sizeof identify, "Identify Controller");
  uint32_t capsule_size;
  memcpy(&capsule_size, identify + 1792, 4);
  in_capsule_limit = (size_t)capsule_size * 16 - 64;
  execute(
    admin, (struct command_pdu){.opcode = 0x06, .namespace_identifier = options.namespace_identifier}, NULL, 0, identify,
    sizeof identify, "Identify Namespace");
  uint64_t block_count;
  memcpy(&block_count, identify, 8);
  size_t block_size = (size_t)1 << identify[128 + 4 * (identify[26] & 0x0F) + 2];
  if (options.block_size % block_size != 0 || options.block_size / block_size > 65536)
    fail("--block-size must be a multiple of the namespace's %zu bytes", block_size);
  blocks_per_request = options.block_size / block_size;
  request_count = block_count / blocks_per_request;
  if (request_count == 0) fail("the namespace is smaller than one request");
  // Set Features, Number of Queues: as many as wanted, both kinds.
  execute(
    admin,
    (struct command_pdu){.opcode = 0x09, .dword10 = 7, .dword11 = (options.connections - 1) * 0x10001u}, NULL, 0, NULL, 0,
    "Set Features, Number of Queues");

  unsigned entries = (unsigned)(capabilities & 0xFFFF) + 1;
  if (options.depth >= entries) fail("--depth is at most %u: the target's queues have %u entries", entries - 1, entries);
  is_in_capsule = options.is_write && options.block_size <= in_capsule_limit;
  template = (struct command_pdu){
    .common = {PDU_COMMAND, 0, COMMAND_LENGTH, is_in_capsule ? COMMAND_LENGTH : 0,
               (uint32_t)(COMMAND_LENGTH + (is_in_capsule ? options.block_size : 0))},
    .opcode = options.is_write ? 1 : 2,
    .flags = 0x40,
    .namespace_identifier = options.namespace_identifier,
    .sgl_length = (uint32_t)options.block_size,
    .sgl_type = is_in_capsule ? SGL_IN_CAPSULE : SGL_TRANSPORT,
    .dword12 = (uint32_t)blocks_per_request - 1,
  };

  connections = calloc(options.connections, sizeof *connections);
  size_t pieces = options.is_write && !is_in_capsule ? options.block_size / maximum_h2c_data + 2 : 1;
  for (unsigned i = 0; i < options.connections; i++) {
    struct connection *c = &connections[i];
    c->index = (int)i;
    c->ending_command = -1;
    c->socket = open_socket();
    connect_queue(c->socket, (uint16_t)(i + 1), options.depth + 1, controller);
    if (options.receive_low_water > 0)
      setsockopt(c->socket, SOL_SOCKET, SO_RCVLOWAT, &options.receive_low_water, sizeof(int));
    c->starts = calloc(options.depth, sizeof *c->starts);
    if (options.variant < MULTISHOT_SPIN) c->buffer = allocate(options.receive_buffer_size);
    if (options.is_write) {
      c->slot_size = (COMMAND_LENGTH + options.block_size + 63) / 64 * 64;
      c->slots = allocate(c->slot_size * options.depth);
      for (unsigned slot = 0; slot < options.depth; slot++) {
        struct command_pdu *command = (struct command_pdu *)(c->slots + slot * c->slot_size);
        *command = template;
        command->command_identifier = (uint16_t)slot;
        memset(command + 1, (int)slot, options.block_size);
      }
    }
    for (unsigned j = 0; j < 2; j++) {
      c->batches[j].vectors = calloc(options.depth * (1 + 2 * pieces) + 1, sizeof(struct iovec));
      c->batches[j].staging = allocate(options.depth * (COMMAND_LENGTH + pieces * H2C_HEADER_LENGTH));
    }
  }
}

int main(int count, char **arguments) {
  if (!parse(count, arguments)) return 0;
  calibrate();
  set_up_queues();
  begin();
  if (options.variant == PLAIN_SPIN) run_plain_spin();
  else if (options.variant == PLAIN_WAIT) run_plain_wait();
  else run_ring();
  report();
  return errors > 0 ? 1 : 0;
}
