/** What went wrong between us and a web server, in words for people. */

/** A reason of ours, or of a server, that already reads as the end of `URL cannot be fetched: …`. */
class Refusal extends Error {}

export function refusal(words: string): Error {
  return new Refusal(words);
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the server broke the connection off',
  EPIPE: 'the server broke the connection off',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'the host does not answer',
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet; is this host's clock right?",
  HPE_HEADER_OVERFLOW: 'the server sends headers without end',
};

/** OpenSSL's ways to say that nobody whom we trust stands for a certificate. */
const NOT_TRUSTED = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
];

/** The reason in a few words, to follow `URL cannot be fetched: `. */
export function whyFailed(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  // One error for each address that a name has; any of them tells enough.
  if (error instanceof AggregateError && error.errors.length > 0) return whyFailed(error.errors[0]);
  const { code = '', message = String(error) } = (error ?? {}) as NodeJS.ErrnoException;
  if (NOT_TRUSTED.includes(code)) {
    return `the server's certificate is of an authority that this host does not trust (${code}); put the authority's certificate into the system's or into /etc/grid-security/certificates`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return "the server's certificate is for another name";
  if (code.startsWith('HPE_')) return `what the server sends is no HTTP (${message})`;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return `no TLS connection can be made (${harmless(message)})`;
  return WORDS[code] ?? harmless(message);
}

/** A URL fit for messages: without user and password, on one line. */
export function redacted(url: string): string {
  return harmless(url.replace(/^(https?:\/\/)[^/?#]*@/i, '$1'));
}

function harmless(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').slice(0, 500);
}
