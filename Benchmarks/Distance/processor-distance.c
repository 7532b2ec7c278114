// How long a cache line takes from one processor to another, in nanoseconds.
//
//     processor-distance A B
//
// A virtual machine's processors move: at one moment two of them are threads of one core, then cores that share a cache,
// then on different dies. What two processes have to say to each other takes two to five times as long, and none of them
// can do anything about it. Figures can only be compared where this one is the same.
//
// Two threads hand a number to and fro for some 20 ms. Whoever else runs on these processors (a target that never sleeps,
// say) stops them now and then: many short series are timed, and of those a quarter is quicker than what is printed.

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXCHANGES = 50, SERIES = 2000 };
static const uint64_t MEASURED_NANOSECONDS = 20 * 1000 * 1000, LIMIT_NANOSECONDS = 500 * 1000 * 1000;

static struct {
  _Alignas(128) _Atomic uint64_t there;
  _Alignas(128) _Atomic uint64_t back;
  _Alignas(128) _Atomic int is_ending;
} line;

static uint64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void run_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  int problem = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  if (problem) {
    fprintf(stderr, "processor-distance: processor %d: %s\n", processor, strerror(problem));
    exit(1);
  }
}

static void *answer(void *processor) {
  run_on(*(int *)processor);
  uint64_t seen = 0;
  while (!atomic_load_explicit(&line.is_ending, memory_order_relaxed)) {
    uint64_t number = atomic_load_explicit(&line.there, memory_order_acquire);
    if (number == seen) continue;
    seen = number;
    atomic_store_explicit(&line.back, number, memory_order_release);
  }
  return NULL;
}

static int compare(const void *first, const void *second) {
  uint64_t a = *(const uint64_t *)first, b = *(const uint64_t *)second;
  return (a > b) - (a < b);
}

static int processor_of(const char *text) {
  char *end;
  long number = strtol(text, &end, 10);
  if (*text == 0 || *end != 0 || number < 0 || number >= CPU_SETSIZE) {
    fprintf(stderr, "processor-distance: %s is no processor's number\n", text);
    exit(2);
  }
  return (int)number;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: processor-distance A B   two processors' numbers\n");
    return 2;
  }
  int here = processor_of(arguments[1]), there = processor_of(arguments[2]);
  if (here == there) {
    fprintf(stderr, "processor-distance: processor %d twice\n", here);
    return 2;
  }
  run_on(here);
  pthread_t thread;
  if (pthread_create(&thread, NULL, answer, &there)) {
    fprintf(stderr, "processor-distance: no second thread\n");
    return 1;
  }
  static uint64_t series[SERIES];
  uint64_t begin = nanoseconds(), previous = begin, number = 0;
  int taken = 0;
  // At least so many that a quarter of them is something, however little of the processors there is.
  while (taken < SERIES && (previous - begin < MEASURED_NANOSECONDS || taken < 20) && previous - begin < LIMIT_NANOSECONDS) {
    for (int i = 0; i < EXCHANGES; i++) {
      atomic_store_explicit(&line.there, ++number, memory_order_release);
      while (atomic_load_explicit(&line.back, memory_order_acquire) != number) {}
    }
    uint64_t now = nanoseconds();
    series[taken++] = now - previous;
    previous = now;
  }
  atomic_store(&line.is_ending, 1);
  pthread_join(thread, NULL);
  qsort(series, (size_t)taken, sizeof *series, compare);
  printf("%.0f\n", (double)series[taken / 4] / (2 * EXCHANGES));
  return 0;
}
