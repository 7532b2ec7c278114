// Apart from shim.c: the kernel's header and the C library's both define what belongs to TCP.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

long nvmeof_minimum_round_trip_microseconds(int descriptor) {
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -1;
  if (length < offsetof(struct tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt) return -1;
  // All ones: nothing has been acknowledged yet.
  return info.tcpi_min_rtt == ~0u ? -1 : (long)info.tcpi_min_rtt;
}
