// liburing for Swift: its static inlines import as they are; what Swift cannot import is wrapped here.
#ifndef CLIBURING_H
#define CLIBURING_H
// Before liburing.h, which defines _XOPEN_SOURCE: fd_set's member would then be named differently from Swift's Glibc.
#include <sys/select.h>
#include <sys/types.h>
#include <liburing.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// The kernel's flags in the submission ring: IORING_SQ_TASKRUN says that deferred work waits for the next enter,
// IORING_SQ_CQ_OVERFLOW that completions wait inside the kernel. Written by the kernel, hence the atomic load.
static inline unsigned nvmeof_submission_flags(const struct io_uring *ring) {
  return IO_URING_READ_ONCE(*ring->sq.kflags);
}

// Tells the processor that this is a loop that waits.
static inline void nvmeof_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static const unsigned nvmeof_submission_attention = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
static const unsigned nvmeof_epoll_readable = EPOLLIN;
static const unsigned nvmeof_epoll_writable = EPOLLOUT;
static const int nvmeof_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
static const int nvmeof_stream_socket_type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
static const int nvmeof_stream_type = SOCK_STREAM;
// MSG_WAITALL: the kernel goes on after a short write by itself, so that most sends need one completion.
static const unsigned nvmeof_send_flags = MSG_NOSIGNAL | MSG_WAITALL;
static const int nvmeof_send_now_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
static const int nvmeof_receive_now_flags = MSG_DONTWAIT;
static const int nvmeof_accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
void nvmeof_set_thread_name(const char *name);
static const int nvmeof_write_synchronously = RWF_DSYNC;
static const unsigned nvmeof_fsync_data_only = IORING_FSYNC_DATASYNC;

static inline int nvmeof_ring_descriptor(const struct io_uring *ring) { return ring->ring_fd; }

// A level-triggered epoll descriptor that is readable when any of two others is; -1 and errno on failure.
int nvmeof_epoll_of(int first, int second);

// A level-triggered epoll descriptor that is readable when another one has these events (EPOLLIN, EPOLLOUT); -1 and errno on
// failure.
int nvmeof_epoll_on(int descriptor, unsigned events);

// The shortest round trip of a TCP connection lately, in microseconds; -1 where nobody knows.
long nvmeof_minimum_round_trip_microseconds(int descriptor);

// The NUMA node that the calling thread runs on now; -1 where the system does not tell.
int nvmeof_numa_node(void);

// Unmaps the pages of the program and of its libraries that hold code; what is run again is mapped again.
void nvmeof_release_code_pages(void);

#endif
