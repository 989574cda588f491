/**
 * `vac squid-conf IN OUT`: the configuration of an HTTP proxy on each factory that asks the other factories' proxies
 * before the world (SPEC 9).
 *
 * As the predecessor's manual has it, the template is kept as it is and lines are appended, an `acl` and a `cache_peer`
 * for each factory of the configuration. The acl adds the factory to `localnet`, the name by which Squid's own example
 * and the predecessor's template (`icp_access allow localnet`, `http_access allow localnet`) allow access: Squid
 * collects the values of several `acl` lines of one name, if the first comes before the name is used. A proxy is no
 * sibling of itself, so the factory that the text is for is left out. Ports are Squid's usual ones; `proxy-only` keeps
 * what a sibling has already from being stored twice. Squid resolves the names when it reads the file, and refuses to
 * start where one has no address.
 */

export type SquidConf = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string };

const HTTP_PORT = 3128;
const ICP_PORT = 3130;

/**
 * The same for the same input whatever the order of the factories, so that it need only be written, and Squid only be
 * told, when something changed.
 *
 * @param factories FQDNs of all factories of the space
 * @param ownFactory FQDN of the factory that the proxy runs on
 */
export function squidConf(template: string, factories: readonly string[], ownFactory: string): SquidConf {
  const others = [...new Set(factories)].filter((factory) => factory !== ownFactory).sort();
  const named = new Set([...template.matchAll(/^[ \t]*cache_peer[ \t]+(\S+)/gm)].map(([, host]) => host));
  const twice = others.find((factory) => named.has(factory));
  if (twice !== undefined) {
    return {
      ok: false,
      error: `the template has a cache_peer ${twice} already, and Squid refuses a second one: give the file without the factories' lines`,
    };
  }
  const use = earlyUse(template.split('\n'));
  if (use !== null) {
    return {
      ok: false,
      error: `line ${use} of the template uses localnet before any acl line defines it, which Squid refuses: put a line such as "acl localnet src 169.254.0.0/16" before it`,
    };
  }
  const lines = others.flatMap((factory) => [
    `acl localnet src ${factory}`,
    `cache_peer ${factory} sibling ${HTTP_PORT} ${ICP_PORT} proxy-only`,
  ]);
  const separator = template === '' || template.endsWith('\n') ? '' : '\n';
  return { ok: true, text: lines.length === 0 ? template : `${template}${separator}${lines.join('\n')}\n` };
}

/** Number of the line that uses localnet before it is defined; null: none does. */
function earlyUse(lines: readonly string[]): number | null {
  for (const [index, line] of lines.entries()) {
    if (/^\s*acl\s+localnet\s/.test(line)) return null;
    if (/^\s*\w+_access\s.*\s!?localnet(?:\s|$)/.test(line)) return index + 1;
  }
  return null;
}
