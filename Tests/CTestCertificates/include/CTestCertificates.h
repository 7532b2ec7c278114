// Certificates for tests, made when they are needed.
#ifndef CTESTCERTIFICATES_H
#define CTESTCERTIFICATES_H

/// Writes a certificate to `certificate_path` and its key to `key_path`, valid from `from` to `to` seconds from now. Without
/// a signer it signs itself, as the certificate of an authority; `passphrase` may be null. 0 when something fails.
int nvmeof_make_certificate(const char *_Nonnull certificate_path, const char *_Nonnull key_path,
                            const char *_Nonnull name, long from, long to,
                            const char *_Nullable signer_certificate_path, const char *_Nullable signer_key_path,
                            const char *_Nullable passphrase);

/// What a client that knows a shared key says first, at most `capacity` bytes of it. Returns how many; 0 when something fails.
long nvmeof_make_client_hello(const char *_Nonnull identity, void *_Nonnull buffer, long capacity);

#endif
