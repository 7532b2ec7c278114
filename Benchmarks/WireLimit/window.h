// The measured window, between the ramp and the end, and what is reported of it.

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include "connection.h"
#include "latencies.h"
#include "options.h"

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
