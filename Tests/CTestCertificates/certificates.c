#include "CTestCertificates.h"
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static int add_extension(X509 *certificate, X509 *issuer, int number, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, number, value);
  int is_added = extension != NULL && X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return is_added;
}

static int write_key(const char *path, EVP_PKEY *key, const char *passphrase) {
  FILE *file = fopen(path, "w");
  if (file == NULL) return 0;
  int is_written = PEM_write_PKCS8PrivateKey(file, key, passphrase ? EVP_aes_256_cbc() : NULL, passphrase,
                                             passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
  return fclose(file) == 0 && is_written;
}

static int write_certificate(const char *path, X509 *certificate) {
  FILE *file = fopen(path, "w");
  if (file == NULL) return 0;
  int is_written = PEM_write_X509(file, certificate);
  return fclose(file) == 0 && is_written;
}

static X509 *read_certificate(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return NULL;
  X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
  fclose(file);
  return certificate;
}

static EVP_PKEY *read_key(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return NULL;
  EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
  fclose(file);
  return key;
}

int nvmeof_make_certificate(const char *certificate_path, const char *key_path, const char *name, long from, long to,
                            const char *signer_certificate_path, const char *signer_key_path, const char *passphrase) {
  int is_made = 0;
  char alternative[300];
  unsigned serial;
  X509 *certificate = X509_new();
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *issuer = signer_certificate_path ? read_certificate(signer_certificate_path) : certificate;
  EVP_PKEY *signer = signer_key_path ? read_key(signer_key_path) : key;
  if (certificate == NULL || key == NULL || issuer == NULL || signer == NULL) goto end;
  if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1) goto end;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), to);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                             0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  if (signer_certificate_path == NULL) {
    if (!add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE")) goto end;
  } else {
    snprintf(alternative, sizeof alternative, "DNS:%s", name);
    if (!add_extension(certificate, issuer, NID_subject_alt_name, alternative)) goto end;
  }
  is_made = X509_sign(certificate, signer, EVP_sha256()) > 0 && write_certificate(certificate_path, certificate) &&
            write_key(key_path, key, passphrase);
end:
  if (issuer != certificate) X509_free(issuer);
  if (signer != key) EVP_PKEY_free(signer);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return is_made;
}
