#define _GNU_SOURCE
#include "CLiburing.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

void nvmeof_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

static int add(int loop, int descriptor, unsigned events) {
  struct epoll_event event = {.events = events};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event) == 0) return loop;
  int code = errno;
  close(loop);
  errno = code;
  return -1;
}

int nvmeof_epoll_on(int descriptor, unsigned events) {
  int loop = epoll_create1(EPOLL_CLOEXEC);
  return loop < 0 ? -1 : add(loop, descriptor, events);
}

int nvmeof_epoll_of(int first, int second) {
  int loop = nvmeof_epoll_on(first, EPOLLIN);
  return loop < 0 ? -1 : add(loop, second, EPOLLIN);
}

int nvmeof_numa_node(void) {
  unsigned processor = 0, node = 0;
  return getcpu(&processor, &node) == 0 ? (int)node : -1;
}
