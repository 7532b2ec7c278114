// A connection: commands, data and headers on their way out, in batches; what comes in, looked at no further than it takes
// to know which command has ended, and to send the next one.

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "association.h"
#include "latencies.h"
#include "options.h"
#include "pdus.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

// What is to be sent, in order: headers lie one behind the other in `staging`, data stays where it is.
struct outgoing {
  struct iovec *vectors;
  unsigned vector_count, first_vector;
  uint8_t *staging;
  size_t staged, byte_count;
  struct msghdr message;
};

struct connection {
  int socket, index;
  // Receiving: bytes of payload still to be skipped, the command that ends with them, and the pieces of a header.
  size_t skip;
  int ending_command;
  unsigned carried;
  uint8_t carry[RECEIVED_HEADER_LENGTH];
  uint8_t *buffer;
  // Sending: one batch is filled while the other is in flight. Two sends in flight could interleave.
  struct outgoing batches[2];
  unsigned filling;
  bool is_sending;
  uint8_t *slots; // of a write: command and data, one behind the other
  size_t slot_size;
  uint64_t *starts;
};

static struct connection *connections;
static size_t in_capsule_limit;
static uint64_t blocks_per_request, request_count;
static bool is_in_capsule;
static struct command_pdu template;
static uint64_t now, completed, errors, r2t_count, receive_count, turn_count;
static bool is_measuring;

static inline uint64_t next_request(void) {
  static uint64_t sequence, state = 0x9E3779B97F4A7C15u;
  if (!options.is_random) {
    if (unlikely(++sequence >= request_count)) sequence = 0;
    return sequence;
  }
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint64_t)(((unsigned __int128)state * request_count) >> 64);
}

static inline void append(struct outgoing *batch, void *start, size_t length) {
  struct iovec *last = &batch->vectors[batch->vector_count];
  if (batch->vector_count > 0 && (uint8_t *)last[-1].iov_base + last[-1].iov_len == (uint8_t *)start) {
    last[-1].iov_len += length;
  } else {
    *last = (struct iovec){start, length};
    batch->vector_count++;
  }
  batch->byte_count += length;
}

static inline void *stage(struct outgoing *batch, size_t length) {
  uint8_t *place = batch->staging + batch->staged;
  batch->staged += length;
  append(batch, place, length);
  return place;
}

static inline void issue(struct connection *c, unsigned identifier) {
  struct outgoing *batch = &c->batches[c->filling];
  struct command_pdu *command;
  if (is_in_capsule) {
    command = (struct command_pdu *)(c->slots + identifier * c->slot_size);
    append(batch, command, COMMAND_LENGTH + options.block_size);
  } else {
    command = stage(batch, COMMAND_LENGTH);
    *command = template;
    command->command_identifier = (uint16_t)identifier;
  }
  uint64_t block = next_request() * blocks_per_request;
  command->dword10 = (uint32_t)block;
  command->dword11 = (uint32_t)(block >> 32);
  c->starts[identifier] = now;
}

static inline void complete(struct connection *c, unsigned identifier) {
  if (is_measuring) {
    completed++;
    histogram[bucket(now - c->starts[identifier])]++;
  }
  issue(c, identifier);
}

static void answer_r2t(struct connection *c, const struct r2t_pdu *r2t) {
  struct outgoing *batch = &c->batches[c->filling];
  uint32_t offset = r2t->offset, left = r2t->length;
  uint8_t *data = c->slots + r2t->command_identifier * c->slot_size + COMMAND_LENGTH;
  r2t_count++;
  while (left > 0) {
    uint32_t length = left < maximum_h2c_data ? left : (uint32_t)maximum_h2c_data;
    struct data_pdu *header = stage(batch, H2C_HEADER_LENGTH);
    *header = (struct data_pdu){
      .common = {PDU_H2C_DATA, length == left ? DATA_LAST : 0, H2C_HEADER_LENGTH, H2C_HEADER_LENGTH,
                 H2C_HEADER_LENGTH + length},
      .command_identifier = r2t->command_identifier,
      .transfer_tag = r2t->transfer_tag,
      .offset = offset,
      .length = length,
    };
    append(batch, data + offset, length);
    offset += length;
    left -= length;
  }
}

static inline void take_header(struct connection *c, const uint8_t *header) {
  const struct common_header *common = (const struct common_header *)header;
  switch (common->type) {
  case PDU_C2H_DATA: {
    const struct data_pdu *data = (const struct data_pdu *)header;
    c->skip = common->length - RECEIVED_HEADER_LENGTH;
    c->ending_command = common->flags & DATA_SUCCESS ? data->command_identifier : -1;
    break;
  }
  case PDU_RESPONSE: {
    const struct response_pdu *response = (const struct response_pdu *)header;
    if (unlikely(response->status & 0xFFFE)) errors++;
    complete(c, response->command_identifier);
    break;
  }
  case PDU_R2T:
    answer_r2t(c, (const struct r2t_pdu *)header);
    break;
  case PDU_C2H_TERM:
    fail("the controller ended the connection (fatal error status %u)", header[8] | header[9] << 8);
  default:
    fail("a PDU of type 0x%02x came", common->type);
  }
}

static void consume(struct connection *c, const uint8_t *bytes, size_t count) {
  receive_count++;
  while (count > 0) {
    if (c->skip > 0) {
      size_t taken = c->skip < count ? c->skip : count;
      c->skip -= taken;
      bytes += taken;
      count -= taken;
      if (c->skip == 0 && c->ending_command >= 0) {
        complete(c, (unsigned)c->ending_command);
        c->ending_command = -1;
      }
      continue;
    }
    if (unlikely(c->carried > 0 || count < RECEIVED_HEADER_LENGTH)) {
      size_t taken = RECEIVED_HEADER_LENGTH - c->carried;
      if (taken > count) taken = count;
      memcpy(c->carry + c->carried, bytes, taken);
      c->carried += (unsigned)taken;
      bytes += taken;
      count -= taken;
      if (c->carried < RECEIVED_HEADER_LENGTH) return;
      c->carried = 0;
      take_header(c, c->carry);
      continue;
    }
    take_header(c, bytes);
    bytes += RECEIVED_HEADER_LENGTH;
    count -= RECEIVED_HEADER_LENGTH;
  }
}

// The batch that was filled becomes the one in flight. False if there is nothing to send or a send is in flight.
static inline bool begin_send(struct connection *c) {
  struct outgoing *batch = &c->batches[c->filling];
  if (c->is_sending || batch->vector_count == 0) return false;
  c->filling ^= 1;
  c->is_sending = true;
  batch->first_vector = 0;
  return true;
}

static inline struct outgoing *in_flight(struct connection *c) { return &c->batches[c->filling ^ 1]; }

// True if all was sent.
static inline bool sent(struct connection *c, size_t count) {
  struct outgoing *batch = in_flight(c);
  if (likely(count == batch->byte_count)) {
    batch->vector_count = 0;
    batch->staged = batch->byte_count = 0;
    c->is_sending = false;
    return true;
  }
  batch->byte_count -= count;
  while (count > 0) {
    struct iovec *vector = &batch->vectors[batch->first_vector];
    size_t taken = vector->iov_len < count ? vector->iov_len : count;
    vector->iov_base = (uint8_t *)vector->iov_base + taken;
    vector->iov_len -= taken;
    count -= taken;
    if (vector->iov_len == 0) batch->first_vector++;
  }
  return false;
}

static inline void fill_message(struct outgoing *batch) {
  unsigned left = batch->vector_count - batch->first_vector;
  batch->message.msg_iov = batch->vectors + batch->first_vector;
  batch->message.msg_iovlen = left < UIO_MAXIOV ? left : UIO_MAXIOV;
}
