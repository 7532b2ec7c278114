// The variants on plain sockets: send and recv that do not block, or recv and epoll that do.

#pragma once

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "connection.h"
#include "options.h"
#include "window.h"

static void plain_send(struct connection *c) {
  while (c->is_sending || begin_send(c)) {
    struct outgoing *batch = in_flight(c);
    ssize_t count;
    if (likely(batch->vector_count - batch->first_vector == 1)) {
      struct iovec *vector = &batch->vectors[batch->first_vector];
      count = send(c->socket, vector->iov_base, vector->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      fill_message(batch);
      count = sendmsg(c->socket, &batch->message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      fail("send: %s", strerror(errno));
    }
    sent(c, (size_t)count);
  }
}

static inline ssize_t plain_receive(struct connection *c, int flags) {
  ssize_t count = recv(c->socket, c->buffer, options.receive_buffer_size, flags);
  if (count > 0) return count;
  if (count == 0) fail("the controller closed the connection");
  if (errno != EAGAIN && errno != EINTR) fail("recv: %s", strerror(errno));
  return 0;
}

static void run_plain_spin(void) {
  do {
    for (unsigned i = 0; i < options.connections; i++) {
      struct connection *c = &connections[i];
      plain_send(c);
      ssize_t count = plain_receive(c, MSG_DONTWAIT);
      if (count == 0) continue;
      now = ticks();
      consume(c, c->buffer, (size_t)count);
      plain_send(c);
    }
  } while (tick());
}

static void run_plain_wait(void) {
  int watch = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event events[64];
  for (unsigned i = 0; i < options.connections; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(watch, EPOLL_CTL_ADD, connections[i].socket, &event);
    plain_send(&connections[i]);
  }
  do {
    bool is_any_sending = false;
    for (unsigned i = 0; i < options.connections; i++) is_any_sending |= connections[i].is_sending;
    if (options.connections == 1 && !is_any_sending) {
      ssize_t count = plain_receive(&connections[0], 0);
      now = ticks();
      consume(&connections[0], connections[0].buffer, (size_t)count);
      plain_send(&connections[0]);
      continue;
    }
    // A full socket is rare enough to be asked again every millisecond at the latest.
    int ready = epoll_wait(watch, events, 64, is_any_sending ? 1 : -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = &connections[events[i].data.u32];
      ssize_t count = plain_receive(c, MSG_DONTWAIT);
      now = ticks();
      if (count > 0) consume(c, c->buffer, (size_t)count);
      plain_send(c);
    }
    if (is_any_sending)
      for (unsigned i = 0; i < options.connections; i++) plain_send(&connections[i]);
  } while (tick());
}
