// The command line, into `options`.

#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

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

// Fills in what was asked for. False if that was only help.
static bool parse(int count, char **arguments) {
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
    case OPTION_HELP: fputs(help, stdout); return false;
    default: fail("--help names the options");
    }
  }
  if (optind < count) fail("\"%s\" is not an option", arguments[optind]);
  if (options.depth > 4095 || options.connections > 4096) fail("--depth is at most 4095, --connections 4096");
  if (options.receive_buffer_size == 0) options.receive_buffer_size = options.variant >= MULTISHOT_SPIN ? 64 << 10 : 256 << 10;
  return true;
}
