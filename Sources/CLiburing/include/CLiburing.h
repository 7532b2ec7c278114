// liburing for Swift: its static inlines import as they are; what Swift cannot import is wrapped here.
#ifndef CLIBURING_H
#define CLIBURING_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <liburing.h>
#endif
