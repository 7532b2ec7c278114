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
#include <errno.h>
#include <getopt.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "association.h"
#include "latencies.h"
#include "options.h"
#include "pdus.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

// ---- A connection ----

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

// ---- Setting up ----

static void *allocate(size_t size) {
  void *result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (result == MAP_FAILED) fail("%zu bytes of memory: %s", size, strerror(errno));
  return result;
}

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

// ---- The measured window ----

static struct {
  struct rusage usage;
  uint64_t nanoseconds, receive_count, turn_count, r2t_count;
} window_start, window_end;

static uint64_t next_edge; // in ticks
static unsigned edge;

static void mark(typeof(window_start) *place) {
  getrusage(RUSAGE_THREAD, &place->usage);
  place->nanoseconds = nanoseconds();
  place->receive_count = receive_count;
  place->turn_count = turn_count;
  place->r2t_count = r2t_count;
}

// Reads the clock, once a batch. False when the time is over.
static inline bool tick(void) {
  now = ticks();
  turn_count++;
  if (likely(now < next_edge)) return true;
  if (edge == 0) {
    edge = 1;
    next_edge = now + (uint64_t)(options.seconds * 1e9 * ticks_per_nanosecond);
    is_measuring = true;
    mark(&window_start);
    return true;
  }
  mark(&window_end);
  return false;
}

static void begin(void) {
  now = ticks();
  next_edge = now + (uint64_t)(options.ramp_seconds * 1e9 * ticks_per_nanosecond);
  for (unsigned i = 0; i < options.connections; i++)
    for (unsigned identifier = 0; identifier < options.depth; identifier++) issue(&connections[i], identifier);
}

// ---- Plain sockets ----

static void plain_send(struct connection *c) {
  while (c->is_sending || begin_send(c)) {
    struct outgoing *batch = in_flight(c);
    ssize_t count;
    if (likely(batch->vector_count - batch->first_vector == 1)) {
      struct iovec *vector = &batch->vectors[batch->first_vector];
      count = send(c->socket, vector->iov_base, vector->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      fill_message(batch);
      count = sendmsg(c->socket, &batch->message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      fail("send: %s", strerror(errno));
    }
    sent(c, (size_t)count);
  }
}

static inline ssize_t plain_receive(struct connection *c, int flags) {
  ssize_t count = recv(c->socket, c->buffer, options.receive_buffer_size, flags);
  if (count > 0) return count;
  if (count == 0) fail("the controller closed the connection");
  if (errno != EAGAIN && errno != EINTR) fail("recv: %s", strerror(errno));
  return 0;
}

static void run_plain_spin(void) {
  do {
    for (unsigned i = 0; i < options.connections; i++) {
      struct connection *c = &connections[i];
      plain_send(c);
      ssize_t count = plain_receive(c, MSG_DONTWAIT);
      if (count == 0) continue;
      now = ticks();
      consume(c, c->buffer, (size_t)count);
      plain_send(c);
    }
  } while (tick());
}

static void run_plain_wait(void) {
  int watch = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event events[64];
  for (unsigned i = 0; i < options.connections; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(watch, EPOLL_CTL_ADD, connections[i].socket, &event);
    plain_send(&connections[i]);
  }
  do {
    bool is_any_sending = false;
    for (unsigned i = 0; i < options.connections; i++) is_any_sending |= connections[i].is_sending;
    if (options.connections == 1 && !is_any_sending) {
      ssize_t count = plain_receive(&connections[0], 0);
      now = ticks();
      consume(&connections[0], connections[0].buffer, (size_t)count);
      plain_send(&connections[0]);
      continue;
    }
    // A full socket is rare enough to be asked again every millisecond at the latest.
    int ready = epoll_wait(watch, events, 64, is_any_sending ? 1 : -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = &connections[events[i].data.u32];
      ssize_t count = plain_receive(c, MSG_DONTWAIT);
      now = ticks();
      if (count > 0) consume(c, c->buffer, (size_t)count);
      plain_send(c);
    }
    if (is_any_sending)
      for (unsigned i = 0; i < options.connections; i++) plain_send(&connections[i]);
  } while (tick());
}

// ---- io_uring ----

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

// ---- Main ----

static void report(void) {
  double seconds = (double)(window_end.nanoseconds - window_start.nanoseconds) / 1e9;
  double user = 0, system = 0;
  user = (double)(window_end.usage.ru_utime.tv_sec - window_start.usage.ru_utime.tv_sec)
    + (double)(window_end.usage.ru_utime.tv_usec - window_start.usage.ru_utime.tv_usec) / 1e6;
  system = (double)(window_end.usage.ru_stime.tv_sec - window_start.usage.ru_stime.tv_sec)
    + (double)(window_end.usage.ru_stime.tv_usec - window_start.usage.ru_stime.tv_usec) / 1e6;
  double count = completed > 0 ? (double)completed : 1;
  double receives = (double)(window_end.receive_count - window_start.receive_count);
  printf("{\n");
  printf("  \"tool\": \"wire-limit\",\n  \"variant\": \"%s\",\n", variant_names[options.variant]);
  printf("  \"operation\": \"%s%s\",\n", options.is_random ? "rand" : "", options.is_write ? "write" : "read");
  printf("  \"block_size\": %zu,\n  \"depth\": %u,\n  \"connections\": %u,\n", options.block_size, options.depth, options.connections);
  printf("  \"in_capsule\": %s,\n  \"seconds\": %.6f,\n", is_in_capsule ? "true" : "false", seconds);
  // CLOCK_MONOTONIC, for who watches this process from outside.
  printf("  \"measured_from_ns\": %llu,\n  \"measured_until_ns\": %llu,\n",
         (unsigned long long)window_start.nanoseconds, (unsigned long long)window_end.nanoseconds);
  printf("  \"completed\": %llu,\n  \"errors\": %llu,\n", (unsigned long long)completed, (unsigned long long)errors);
  printf("  \"iops\": %.1f,\n  \"bytes_per_second\": %.0f,\n", (double)completed / seconds, (double)completed / seconds * (double)options.block_size);
  printf("  \"latency_us\": {\"p50\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f},\n",
         percentile_microseconds(0.5), percentile_microseconds(0.99), percentile_microseconds(0.999));
  printf("  \"cpu_seconds\": {\"user\": %.6f, \"system\": %.6f},\n", user, system);
  printf("  \"cpu_us_per_io\": {\"user\": %.4f, \"system\": %.4f, \"total\": %.4f},\n",
         user / count * 1e6, system / count * 1e6, (user + system) / count * 1e6);
  printf("  \"ios_per_receive\": %.2f,\n", receives > 0 ? (double)completed / receives : 0);
  printf("  \"turns\": %llu,\n  \"r2t_count\": %llu,\n", (unsigned long long)(window_end.turn_count - window_start.turn_count),
         (unsigned long long)(window_end.r2t_count - window_start.r2t_count));
  printf("  \"voluntary_switches\": %ld\n}\n", window_end.usage.ru_nvcsw - window_start.usage.ru_nvcsw);
}

static const char help[] =
  "usage: wire-limit [options]\n"
  "Drives an NVMe/TCP namespace with the least work possible and no checks; one JSON document on standard output.\n"
  "With --write the namespace's data is overwritten.\n\n"
  "  --variant V         plain-spin, plain-wait, ring-spin, ring-wait (default), multishot-spin, multishot-wait\n"
  "  --address A         numeric address or name (127.0.0.1)\n"
  "  --port P            (4420)\n"
  "  --nqn NQN           the subsystem (that of `nvmeof target`)\n"
  "  --host-nqn NQN      the host\n"
  "  --namespace N       (1)\n"
  "  --depth N           commands outstanding on a connection (1)\n"
  "  --connections N     I/O queues, each with a connection, all driven by one thread (1)\n"
  "  --block-size BYTES  of a command, suffixes k and m (4k)\n"
  "  --write             write instead of reading\n"
  "  --random            random places instead of ascending ones\n"
  "  --seconds S         the measured window (3)\n"
  "  --ramp S            before it (0.5)\n"
  "  --receive-buffer B  bytes of a receive buffer (256k; multishot: 64k)\n"
  "  --pool B            bytes of all of multishot's buffers (16m)\n"
  "  --batch N           completions that ring-wait and multishot-wait ask the kernel for in a turn (1)\n"
  "  --low-water B       SO_RCVLOWAT (the kernel's)\n"
  "  --no-single-issuer  io_uring without SINGLE_ISSUER and DEFER_TASKRUN\n"
  "  --help              this text\n\n"
  "example: taskset -c 1 wire-limit --variant ring-wait --depth 128 --random --seconds 5\n";

static size_t size_argument(const char *text, const char *name) {
  char *end;
  unsigned long long value = strtoull(text, &end, 10);
  if (*end == 'k' || *end == 'K') value <<= 10, end++;
  else if (*end == 'm' || *end == 'M') value <<= 20, end++;
  if (end == text || *end != 0 || value == 0) fail("--%s is a positive number, with k or m for KiB or MiB, not \"%s\"", name, text);
  return value;
}

static double seconds_argument(const char *text, const char *name) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end != 0 || !(value >= 0)) fail("--%s is a number of seconds, not \"%s\"", name, text);
  return value;
}

int main(int count, char **arguments) {
  enum {
    OPTION_VARIANT = 1, OPTION_ADDRESS, OPTION_PORT, OPTION_NQN, OPTION_HOST_NQN, OPTION_NAMESPACE, OPTION_DEPTH,
    OPTION_CONNECTIONS, OPTION_BLOCK_SIZE, OPTION_WRITE, OPTION_RANDOM, OPTION_SECONDS, OPTION_RAMP, OPTION_RECEIVE_BUFFER,
    OPTION_POOL, OPTION_BATCH, OPTION_LOW_WATER, OPTION_NO_SINGLE_ISSUER, OPTION_HELP,
  };
  static const struct option known[] = {
    {"variant", required_argument, NULL, OPTION_VARIANT},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"port", required_argument, NULL, OPTION_PORT},
    {"nqn", required_argument, NULL, OPTION_NQN},
    {"host-nqn", required_argument, NULL, OPTION_HOST_NQN},
    {"namespace", required_argument, NULL, OPTION_NAMESPACE},
    {"depth", required_argument, NULL, OPTION_DEPTH},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"block-size", required_argument, NULL, OPTION_BLOCK_SIZE},
    {"write", no_argument, NULL, OPTION_WRITE},
    {"random", no_argument, NULL, OPTION_RANDOM},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"ramp", required_argument, NULL, OPTION_RAMP},
    {"receive-buffer", required_argument, NULL, OPTION_RECEIVE_BUFFER},
    {"pool", required_argument, NULL, OPTION_POOL},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"low-water", required_argument, NULL, OPTION_LOW_WATER},
    {"no-single-issuer", no_argument, NULL, OPTION_NO_SINGLE_ISSUER},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
  };
  for (int option, index; (option = getopt_long(count, arguments, "", known, &index)) != -1;) {
    const char *name = option != '?' ? known[index].name : "";
    switch (option) {
    case OPTION_VARIANT:
      for (options.variant = 0; options.variant < VARIANT_COUNT; options.variant++)
        if (strcmp(variant_names[options.variant], optarg) == 0) break;
      if (options.variant == VARIANT_COUNT) fail("--variant: there is no \"%s\"; --help names them", optarg);
      break;
    case OPTION_ADDRESS: options.address = optarg; break;
    case OPTION_PORT: options.port = optarg; break;
    case OPTION_NQN: options.subsystem = optarg; break;
    case OPTION_HOST_NQN: options.host = optarg; break;
    case OPTION_NAMESPACE: options.namespace_identifier = (uint32_t)size_argument(optarg, name); break;
    case OPTION_DEPTH: options.depth = (unsigned)size_argument(optarg, name); break;
    case OPTION_CONNECTIONS: options.connections = (unsigned)size_argument(optarg, name); break;
    case OPTION_BLOCK_SIZE: options.block_size = size_argument(optarg, name); break;
    case OPTION_WRITE: options.is_write = true; break;
    case OPTION_RANDOM: options.is_random = true; break;
    case OPTION_SECONDS: options.seconds = seconds_argument(optarg, name); break;
    case OPTION_RAMP: options.ramp_seconds = seconds_argument(optarg, name); break;
    case OPTION_RECEIVE_BUFFER: options.receive_buffer_size = size_argument(optarg, name); break;
    case OPTION_POOL: options.pool_size = size_argument(optarg, name); break;
    case OPTION_BATCH: options.batch = (unsigned)size_argument(optarg, name); break;
    case OPTION_LOW_WATER: options.receive_low_water = (int)size_argument(optarg, name); break;
    case OPTION_NO_SINGLE_ISSUER: options.is_simple_ring = true; break;
    case OPTION_HELP: fputs(help, stdout); return 0;
    default: fail("--help names the options");
    }
  }
  if (optind < count) fail("\"%s\" is not an option", arguments[optind]);
  if (options.depth > 4095 || options.connections > 4096) fail("--depth is at most 4095, --connections 4096");
  if (options.receive_buffer_size == 0) options.receive_buffer_size = options.variant >= MULTISHOT_SPIN ? 64 << 10 : 256 << 10;

  calibrate();
  set_up_queues();
  begin();
  if (options.variant == PLAIN_SPIN) run_plain_spin();
  else if (options.variant == PLAIN_WAIT) run_plain_wait();
  else run_ring();
  report();
  return errors > 0 ? 1 : 0;
}
