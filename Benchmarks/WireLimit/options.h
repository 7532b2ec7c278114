// What was asked for on the command line, and how a run ends that cannot do it.

#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum variant { PLAIN_SPIN, PLAIN_WAIT, RING_SPIN, RING_WAIT, MULTISHOT_SPIN, MULTISHOT_WAIT, VARIANT_COUNT };
static const char *const variant_names[VARIANT_COUNT] = {
  "plain-spin", "plain-wait", "ring-spin", "ring-wait", "multishot-spin", "multishot-wait",
};

static struct {
  enum variant variant;
  const char *address, *port, *subsystem, *host;
  uint32_t namespace_identifier;
  unsigned depth, connections;
  size_t block_size;
  bool is_write, is_random, is_simple_ring;
  double seconds, ramp_seconds;
  size_t receive_buffer_size; // 0: chosen by variant
  size_t pool_size;
  unsigned batch; // completions a waiting ring asks for
  int receive_low_water;
} options = {
  .variant = RING_WAIT,
  .address = "127.0.0.1",
  .port = "4420",
  .subsystem = "nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-0000656d6264",
  .host = "nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-000077697265",
  .namespace_identifier = 1,
  .depth = 1,
  .connections = 1,
  .block_size = 4096,
  .seconds = 3,
  .ramp_seconds = 0.5,
  .pool_size = 16 << 20,
  .batch = 1,
};

static bool is_waiting(void) { return options.variant % 2 == 1; }

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("wire-limit: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}
