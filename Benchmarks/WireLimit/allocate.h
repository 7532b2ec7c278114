// Memory that is there before it is measured.

#pragma once

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "options.h"

static void *allocate(size_t size) {
  void *result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (result == MAP_FAILED) fail("%zu bytes of memory: %s", size, strerror(errno));
  return result;
}
