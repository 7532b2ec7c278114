#define _GNU_SOURCE
#include "CLiburing.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

void nvmeof_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int nvmeof_epoll_of(int first, int second) {
  int loop = epoll_create1(EPOLL_CLOEXEC);
  if (loop < 0) return -1;
  struct epoll_event event = {.events = EPOLLIN};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, first, &event) == 0 && epoll_ctl(loop, EPOLL_CTL_ADD, second, &event) == 0)
    return loop;
  int code = errno;
  close(loop);
  errno = code;
  return -1;
}

int nvmeof_numa_node(void) {
  unsigned processor = 0, node = 0;
  return getcpu(&processor, &node) == 0 ? (int)node : -1;
}
