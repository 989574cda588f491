/** A domain as small as the driver takes it. */
export function domainXml(name: string, options: { type?: string; extra?: string; devices?: string } = {}): string {
  const { type = 'test', extra = '', devices = '' } = options;
  return `<domain type='${type}'><name>${name}</name><memory unit='KiB'>65536</memory>
    <os><type>hvm</type></os>${extra}<devices>${devices}</devices></domain>`;
}
