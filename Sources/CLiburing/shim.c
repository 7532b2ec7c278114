#define _GNU_SOURCE
#include "CLiburing.h"
#include <pthread.h>

void nvmeof_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }
