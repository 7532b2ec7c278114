#include "COpenSSL.h"
#include <pthread.h>
#include <string.h>

static BIO_METHOD *method;

static int read_input(BIO *bio, char *data, size_t count, size_t *done) {
  struct nvmeof_tls_buffers *buffers = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *done = count < buffers->input_count ? count : buffers->input_count;
  if (*done == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(data, buffers->input, *done);
  buffers->input += *done;
  buffers->input_count -= *done;
  return 1;
}

static int write_output(BIO *bio, const char *data, size_t count, size_t *done) {
  struct nvmeof_tls_buffers *buffers = BIO_get_data(bio);
  size_t room = buffers->output_capacity - buffers->output_end;
  BIO_clear_retry_flags(bio);
  *done = count < room ? count : room;
  if (*done == 0 && count > 0) {
    BIO_set_retry_write(bio);
    return 0;
  }
  memcpy(buffers->output + buffers->output_end, data, *done);
  buffers->output_end += *done;
  return 1;
}

// There is nothing to be flushed: whoever owns the buffers sends them.
static long control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static void make_method(void) {
  BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lent memory");
  if (made == NULL) return;
  BIO_meth_set_read_ex(made, read_input);
  BIO_meth_set_write_ex(made, write_output);
  BIO_meth_set_ctrl(made, control);
  method = made;
}

BIO *nvmeof_tls_bio(struct nvmeof_tls_buffers *buffers) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_method);
  if (method == NULL) return NULL;
  BIO *bio = BIO_new(method);
  if (bio == NULL) return NULL;
  BIO_set_data(bio, buffers);
  BIO_set_init(bio, 1);
  return bio;
}

void nvmeof_tls_note_unknown_identity(SSL *session, const char *identity) {
  struct nvmeof_tls_buffers *buffers = SSL_get_ex_data(session, 0);
  if (!buffers) return;
  size_t count = 0;
  for (; identity[count] && count < sizeof buffers->unknown_identity - 1; count++)
    buffers->unknown_identity[count] = identity[count] < 32 || identity[count] > 126 ? '?' : identity[count];
  buffers->unknown_identity[count] = 0;
}
