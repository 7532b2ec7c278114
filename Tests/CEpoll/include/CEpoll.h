// epoll for tests: Swift's Glibc does not have it.
#ifndef CEPOLL_H
#define CEPOLL_H
#include <sys/epoll.h>
#include <unistd.h>

// A loop that watches one descriptor, level-triggered.
static inline int cepoll_make(int watched) {
  int loop = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, watched, &event) != 0) {
    close(loop);
    return -1;
  }
  return loop;
}

// 1 when it is readable, 0 when it was not within the time.
static inline int cepoll_wait(int loop, int milliseconds) {
  struct epoll_event event;
  return epoll_wait(loop, &event, 1, milliseconds);
}

#endif
