#include "CTestCertificates.h"
#include <openssl/ssl.h>
#include <string.h>

static unsigned give_key(SSL *session, const char *hint, char *identity, unsigned identity_capacity, unsigned char *key,
                         unsigned key_capacity) {
  (void)hint;
  const char *wanted = SSL_get_ex_data(session, 0);
  if (strlen(wanted) >= identity_capacity || key_capacity < 16) return 0;
  strcpy(identity, wanted);
  memset(key, 1, 16);
  return 16;
}

long nvmeof_make_client_hello(const char *identity, void *buffer, long capacity) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context) return 0;
  SSL_CTX_set_psk_client_callback(context, give_key);
  SSL *session = SSL_new(context);
  BIO *output = BIO_new(BIO_s_mem());
  SSL_set_ex_data(session, 0, (void *)identity);
  SSL_set_bio(session, BIO_new(BIO_s_mem()), output);
  SSL_connect(session);
  long count = BIO_read(output, buffer, (int)capacity);
  SSL_free(session);
  SSL_CTX_free(context);
  return count < 0 ? 0 : count;
}
