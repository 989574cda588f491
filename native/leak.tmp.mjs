import { open } from 'libvirt';
const which = process.argv[2];
const description = 'x'.repeat(+(process.argv[3] ?? 65536));
const xml = "<domain type='test'><name>leak</name><description>" + description + "</description><memory>1024</memory><os><type>hvm</type></os></domain>";
const keep = await open('test:///default');
const d0 = await keep.createDomain(xml.replace('leak','keep'));
const ops = {
  openclose: async () => { const c = await open('test:///default'); await c.close(); },
  create: async () => { const { uuid } = await keep.createDomain(xml); await keep.destroyDomain(uuid); },
  xml: () => keep.domainXml(d0.uuid),
  stats: () => keep.domainStats(),
  nets: () => keep.listNetworks(),
  err: () => keep.domainXml('00000000-0000-4000-8000-000000000000').catch(() => {}),
  badxml: () => keep.createDomain('<domain').catch(() => {}),
};
const out = [];
for (let k = 0; k < 5; k++) { for (let i = 0; i < 1500; i++) await ops[which](); gc(); out.push((process.memoryUsage.rss() / 2**20).toFixed(1)); }
console.log(which, out.join(' '));
process.exit();
