// The variants on io_uring: single or multishot receives, spinning or waiting.

#pragma once

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "allocate.h"
#include "connection.h"
#include "options.h"
#include "window.h"

static struct io_uring ring;
static struct io_uring_buf_ring *pool;
static uint8_t *pool_memory;
static unsigned pool_count;

enum { RECEIVED = 0, SENT = 1 };

static void set_up_ring(void) {
  struct io_uring_params parameters = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = 16384};
  if (!options.is_simple_ring) {
    parameters.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (!is_waiting()) parameters.flags |= IORING_SETUP_TASKRUN_FLAG;
  }
  int problem = io_uring_queue_init_params(1024, &ring, &parameters);
  if (problem < 0) fail("io_uring: %s", strerror(-problem));
  io_uring_register_ring_fd(&ring);
  int *files = calloc(options.connections, sizeof *files);
  for (unsigned i = 0; i < options.connections; i++) files[i] = connections[i].socket;
  problem = io_uring_register_files(&ring, files, options.connections);
  if (problem < 0) fail("registering files: %s", strerror(-problem));
  free(files);
  if (options.variant < MULTISHOT_SPIN) return;

  pool_count = 1;
  while (pool_count * 2 * options.receive_buffer_size <= options.pool_size && pool_count < 32768) pool_count *= 2;
  pool = allocate(pool_count * sizeof(struct io_uring_buf));
  pool_memory = allocate(pool_count * options.receive_buffer_size);
  struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)pool, .ring_entries = pool_count, .bgid = 0};
  problem = io_uring_register_buf_ring(&ring, &registration, 0);
  if (problem < 0) fail("registering provided buffers: %s", strerror(-problem));
  io_uring_buf_ring_init(pool);
  for (unsigned i = 0; i < pool_count; i++)
    io_uring_buf_ring_add(
      pool, pool_memory + i * options.receive_buffer_size, (unsigned)options.receive_buffer_size, (unsigned short)i,
      io_uring_buf_ring_mask(pool_count), (int)i);
  io_uring_buf_ring_advance(pool, (int)pool_count);
}

static inline struct io_uring_sqe *next_entry(void) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
  if (unlikely(entry == NULL)) {
    io_uring_submit(&ring);
    entry = io_uring_get_sqe(&ring);
  }
  return entry;
}

static inline void arm(struct connection *c) {
  struct io_uring_sqe *entry = next_entry();
  if (pool != NULL) {
    io_uring_prep_recv_multishot(entry, c->index, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
  } else {
    io_uring_prep_recv(entry, c->index, c->buffer, options.receive_buffer_size, 0);
  }
  entry->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(entry, (uint64_t)c->index << 1 | RECEIVED);
}

// Small batches end at once, within the system call that submits them: who waits for "one more" must not count them.
static unsigned sends_ending_at_once;

static void ring_send(struct connection *c) {
  if (!c->is_sending && !begin_send(c)) return;
  struct outgoing *batch = in_flight(c);
  struct io_uring_sqe *entry = next_entry();
  if (likely(batch->vector_count - batch->first_vector == 1)) {
    struct iovec *vector = &batch->vectors[batch->first_vector];
    io_uring_prep_send(entry, c->index, vector->iov_base, vector->iov_len, MSG_WAITALL | MSG_NOSIGNAL);
  } else {
    fill_message(batch);
    io_uring_prep_sendmsg(entry, c->index, &batch->message, MSG_WAITALL | MSG_NOSIGNAL);
  }
  entry->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(entry, (uint64_t)c->index << 1 | SENT);
  if (batch->byte_count <= 65536) sends_ending_at_once++;
}

static void handle(struct io_uring_cqe *entry) {
  struct connection *c = &connections[entry->user_data >> 1];
  if ((entry->user_data & 1) == SENT) {
    if (entry->res < 0) fail("send: %s", strerror(-entry->res));
    if (unlikely(!sent(c, (size_t)entry->res))) ring_send(c);
    return;
  }
  if (unlikely(entry->res <= 0)) {
    if (entry->res == 0) fail("the controller closed the connection");
    if (entry->res != -ENOBUFS && entry->res != -EINTR && entry->res != -EAGAIN) fail("recv: %s", strerror(-entry->res));
  }
  if (pool == NULL) {
    if (entry->res > 0) consume(c, c->buffer, (size_t)entry->res);
    arm(c);
    return;
  }
  if (entry->flags & IORING_CQE_F_BUFFER) {
    unsigned identifier = entry->flags >> IORING_CQE_BUFFER_SHIFT;
    uint8_t *bytes = pool_memory + identifier * options.receive_buffer_size;
    if (entry->res > 0) consume(c, bytes, (size_t)entry->res);
    io_uring_buf_ring_add(
      pool, bytes, (unsigned)options.receive_buffer_size, (unsigned short)identifier, io_uring_buf_ring_mask(pool_count), 0);
    io_uring_buf_ring_advance(pool, 1);
  }
  if (!(entry->flags & IORING_CQE_F_MORE)) arm(c);
}

static void run_ring(void) {
  set_up_ring();
  for (unsigned i = 0; i < options.connections; i++) {
    arm(&connections[i]);
    ring_send(&connections[i]);
  }
  bool waits = is_waiting();
  do {
    int result = 0;
    if (waits) {
      result = io_uring_submit_and_wait(&ring, sends_ending_at_once + options.batch);
    } else if (io_uring_sq_ready(&ring) > 0) {
      result = io_uring_submit_and_get_events(&ring);
    } else if (!options.is_simple_ring && *(volatile unsigned *)ring.sq.kflags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) {
      result = io_uring_get_events(&ring);
    }
    if (unlikely(result < 0 && result != -EINTR && result != -EBUSY)) fail("io_uring_enter: %s", strerror(-result));
    sends_ending_at_once = 0;
    now = ticks();
    struct io_uring_cqe *entry;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, entry) {
      handle(entry);
      count++;
    }
    if (count == 0) continue;
    io_uring_cq_advance(&ring, count);
    for (unsigned i = 0; i < options.connections; i++)
      if (!connections[i].is_sending) ring_send(&connections[i]);
  } while (tick());
}
