// Tells the thread sanitizer of Swift's Synchronization.Mutex.
//
// The fast path of that mutex is compiled into its users and seen by the sanitizer; the contended path is in the
// library, which is not instrumented: one thread's unlocking does not seem to come before another's locking, and
// everything that a mutex guards is reported as a race. Linked into the test bundle, these two take the place of the
// library's functions, call them, and say what they mean.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

SWIFT void nvmeof_lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
SWIFT void nvmeof_unlock_slow(SELF) __asm__(UNLOCK_SLOW);

static SWIFT void (*library_lock)(uint32_t, SELF);
static SWIFT void (*library_unlock)(SELF);

static void *library_function(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (function == NULL) {
    fprintf(stderr, "sanitizers: Swift's library has no %s: is its mutex another one now?\n", name);
    abort();
  }
  return function;
}

__attribute__((constructor)) static void find_library_functions(void) {
  library_lock = (SWIFT void (*)(uint32_t, SELF))library_function(LOCK_SLOW);
  library_unlock = (SWIFT void (*)(SELF))library_function(UNLOCK_SLOW);
}

SWIFT void nvmeof_lock_slow(uint32_t thread, SELF) {
  library_lock(thread, self);
  __tsan_acquire(self);
}

SWIFT void nvmeof_unlock_slow(SELF) {
  __tsan_release(self);
  library_unlock(self);
}
