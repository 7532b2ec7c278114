// OpenSSL 3 for Swift: its functions import as they are; macros that Swift cannot import are wrapped here, and there is
// a BIO that moves ciphertext between a session and memory that its owner lends.
#ifndef COPENSSL_H
#define COPENSSL_H
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/// What a session's BIO reads from and writes to.
struct nvmeof_tls_buffers {
  /// Ciphertext lent for the time of a call; what has been read is gone from the front.
  const unsigned char *_Nullable input;
  size_t input_count;
  /// Ciphertext to be sent, from `output_start` to `output_end`. It is appended to and never moved while it is there.
  unsigned char *_Nullable output;
  size_t output_start;
  size_t output_end;
  size_t output_capacity;
  /// The beginning of the latest identity that the client has given and that has no key; empty when there is none.
  char unknown_identity[65];
};

/// Has `session` keep what was unknown in its buffers.
static inline void nvmeof_tls_keep_unknown_identity(SSL *_Nonnull session, struct nvmeof_tls_buffers *_Nonnull buffers) {
  // The first of the places for applications' data.
  SSL_set_ex_data(session, 0, buffers);
}

/// Whatever cannot be printed of `identity` is replaced.
void nvmeof_tls_note_unknown_identity(SSL *_Nonnull session, const char *_Nonnull identity);

static inline const char *_Nonnull nvmeof_tls_unknown_identity(const struct nvmeof_tls_buffers *_Nonnull buffers) {
  return buffers->unknown_identity;
}

/// A BIO over `buffers`, which have to outlive it: reading asks for more when the input is used up, writing asks to be
/// tried again when the output is full. Null when there is no memory.
BIO *_Nullable nvmeof_tls_bio(struct nvmeof_tls_buffers *_Nonnull buffers);

/// The library, without its handler at exit, which would pull it from under threads that still use it.
static inline int nvmeof_tls_initialize(void) { return OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL); }

/// TLS 1.2 at least; no resumption, no renegotiation: a storage connection is made once, and lasts.
static inline int nvmeof_tls_configure(SSL_CTX *_Nonnull context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) && SSL_CTX_set_num_tickets(context, 0);
}

static inline int nvmeof_tls_limit_version(SSL_CTX *_Nonnull context, int version) {
  return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline int nvmeof_tls_set_server_name(SSL *_Nonnull session, const char *_Nonnull name) {
  return (int)SSL_set_tlsext_host_name(session, name);
}

static inline int nvmeof_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int nvmeof_error_library(unsigned long code) { return ERR_GET_LIB(code); }

/// The longest that a record's plaintext becomes, with room for an alert or a key update: one record (RFC 8446, section 5.2;
/// RFC 5246, section 6.2.3), or 32 where the peer takes no more than 512 bytes in one (RFC 6066, section 4): 19,104 bytes
/// with CBC and SHA-384.
static const int nvmeof_tls_record_room = SSL3_RT_MAX_ENCRYPTED_LENGTH + 2048;
static const int nvmeof_tls_record_payload = SSL3_RT_MAX_PLAIN_LENGTH;
/// "CN=disks.example.org,O=Example"
static const unsigned long nvmeof_name_form = XN_FLAG_RFC2253;
static const int nvmeof_tls_1_2 = TLS1_2_VERSION;
static const int nvmeof_tls_verify_peer = SSL_VERIFY_PEER;
static const int nvmeof_tls_verify_client = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;

#endif
