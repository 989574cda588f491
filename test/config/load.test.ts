import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig, loadSettings } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';
import { pipeOptionNames } from '../../src/config/spelling.js';
import type { Config, LoadResult } from '../../src/config/types.js';
import { MAX_SLOTS } from '../../src/machines/layout.js';

const HOST = { hostFqdn: 'node1.example.com' };
const MINIMAL = '[settings]\nvac_space = vac01.example.com\n';
const TYPE = '[machinetype a]\ntarget_share = 1\nmachine_model = vm-raw\nroot_image = /a.img\n';

const load = (...texts: string[]): LoadResult =>
  loadConfig(
    texts.map((text, index) => ({ path: `/etc/${index}.conf`, text })),
    HOST,
  );

function good(...texts: string[]): Config {
  const result = load(...texts);
  expect(result.ok ? [] : result.errors.map(formatProblem)).toEqual([]);
  return (result as { config: Config }).config;
}

const errorsOf = (...texts: string[]): string[] => {
  const result = load(...texts);
  return result.ok ? [] : result.errors.map(formatProblem);
};
const warningsOf = (...texts: string[]): string[] => load(...texts).warnings.map(formatProblem);

describe('a good configuration', () => {
  it('has the documented defaults', () => {
    expect(good(MINIMAL, '[machinetype a]\nroot_image = https://x.example/a.iso\n')).toEqual({
      settings: {
        vacSpace: 'vac01.example.com',
        factories: [],
        description: null,
        udpTimeoutSeconds: 10,
        queryNetworks: [],
        spaceKeyFile: null,
        spaceKeyMode: 'mixed',
        totalProcessors: null,
        mibPerProcessor: 2048,
        swapMibPerProcessor: 1024,
        joboutputsMib: 200,
        joboutputsFiles: 2000,
        hs06PerProcessor: null,
        hepscore23PerProcessor: null,
        shareHalfLifeHours: 0,
        processorsPerSuperslot: 1,
        overloadPerProcessor: 1.25,
        ioPressurePercent: 60,
        cpuWeight: 100,
        ioWeight: null,
        maxStartingMachines: 8,
        shutdownTimeSeconds: null,
        graceSeconds: 600,
        draining: false,
        volumeGroup: null,
        diskGbPerProcessor: null,
        imageCacheGb: null,
        controlGroup: null,
        rootPublicKeyPath: '/root/.ssh/id_rsa.pub',
        libvirtUri: 'qemu:///system',
        nfs: 'auto',
        forwardDev: null,
        fixNetworking: true,
        egressDeny: [],
        egressAllow: [],
        gocdbSitename: null,
        accountingFormat: 'apel-v0.3',
        accountingPartial: false,
        accountingInfrastructure: 'grid',
        vacmonHostports: [],
        metricsListen: { host: '127.0.0.1', port: 10195 },
        syslog: { host: '169.254.169.254', port: 514 },
        syslogDays: 90,
        syslogMegabytes: 50,
        syslogRelp: 'auto',
        syslogForward: null,
        trailDays: 180,
        flowLog: 'none',
        flowLogDays: 90,
        flowLogMb: 1000,
        joboutputsArchiveUrl: null,
        joboutputsArchiveAuthFile: null,
        machinefeaturesOptions: {},
        userDataOptions: {},
        userDataFiles: {},
      },
      machinetypes: [
        {
          name: 'a',
          directoryName: 'a',
          machinegroup: 'a',
          targetShare: 0,
          machineModel: 'cernvm3',
          rootImage: 'https://x.example/a.iso',
          rootDevice: 'vda',
          scratchDevice: 'vdb',
          swapDevice: 'vdc',
          userData: null,
          minProcessors: 1,
          maxProcessors: 1,
          maxWallclockSeconds: 86400,
          minWallclockSeconds: 86400,
          fizzleSeconds: 600,
          backoffSeconds: 10,
          heartbeatFile: null,
          heartbeatSeconds: 0,
          machinesDirDays: 3,
          joboutputsArchiveUrl: null,
          diskGbPerProcessor: null,
          rootDiskGb: null,
          mibPerProcessor: 2048,
          totalProcessors: null,
          egressDeny: [],
          egressAllow: [],
          swapMibPerProcessor: 1024,
          joboutputsMib: 200,
          joboutputsFiles: 2000,
          accountingFqan: null,
          imageSigningDn: null,
          rootImageSha256: null,
          userDataProxy: false,
          legacyProxy: false,
          context: ['metadata', 'one'],
          earlySyslog: null,
          mjfForm: null,
          diskBus: 'auto',
          cpuMode: null,
          machineType: 'pc',
          firmware: 'bios',
          userDataOptions: {},
          userDataFiles: {},
          cvmfsRepositories: [],
          containerCommand: '/user_data',
          tmpBinds: [],
        },
      ],
      vacuumPipes: [],
      overnight: null,
      files: ['/etc/0.conf', '/etc/1.conf'],
      origins: {
        '[settings] vac_space': { file: '/etc/0.conf', line: 2 },
        '[machinetype a] root_image': { file: '/etc/1.conf', line: 2 },
      },
    } satisfies Config);
  });

  it('takes every setting', () => {
    const { settings } = good(`[settings]
vac_space = vac01.example.com
factories = . node2.example.com
  NODE1.example.com
description = two
  lines
draining: Yes
shutdown_time = 1767225600
grace_seconds = 60
total_processors = 16
processors_per_superslot = 8
overload_per_processor = 2
io_pressure_percent = 0
cpu_weight = 50
io_weight = 200
egress_deny = 10.0.0.0/8
egress_allow = 192.0.2.7:3128
max_starting_machines = 3
mb_per_processor = 3000
swap_mb_per_processor = 0
volume_group = vg0
disk_gb_per_processor = 20
hs06_per_processor = 10.5
share_half_life_hours = 72.5
image_cache_gb = 200
control_group = vacadmin
root_public_key = /k.pub
libvirt_uri = test:///default
nfs = ganesha
fix_networking = off
forward_dev = eth0
udp_timeout_seconds = 5
space_key_file = /etc/vac.space.key
space_key_mode = required
query_networks = 192.0.2.0/24
  2001:db8::1
vacmon_hostport = m.example.com:8884
metrics_listen = [::]:9100
gocdb_sitename = UKI-SITE
hepscore23_per_processor = 11
accounting_format = apel-v0.4
accounting_partial = yes
accounting_infrastructure = cloud
trail_days = 30
flow_log = all
flow_log_days = 9
flow_log_mb = 12
joboutputs_archive_url = https://s.example.org/vac
joboutputs_archive_auth_file = /token
syslog =
syslog_days = 7
syslog_mb = 2
syslog_relp = no
joboutputs_mb = 7
joboutputs_files = 70
syslog_forward = tls://logs.example.com:6514
syslog_forward_ca = /ca.pem
syslog_forward_cert = /cert.pem
syslog_forward_key = /key.pem
syslog_forward_peer = collector.example.com
syslog_forward_mb = 5
machinefeatures_option_site = X
user_data_option_p = http://a:3128|http://b:3128;DIRECT
user_data_file_f = file
`);
    expect(settings).toEqual({
      vacSpace: 'vac01.example.com',
      factories: ['node1.example.com', 'node2.example.com'],
      description: 'two\nlines',
      draining: true,
      shutdownTimeSeconds: 1767225600,
      graceSeconds: 60,
      totalProcessors: 16,
      processorsPerSuperslot: 8,
      overloadPerProcessor: 2,
      ioPressurePercent: 0,
      cpuWeight: 50,
      ioWeight: 200,
      egressDeny: ['10.0.0.0/8'],
      egressAllow: ['192.0.2.7:3128'],
      maxStartingMachines: 3,
      mibPerProcessor: 3000,
      swapMibPerProcessor: 0,
      joboutputsMib: 7,
      joboutputsFiles: 70,
      volumeGroup: 'vg0',
      diskGbPerProcessor: 20,
      hs06PerProcessor: 10.5,
      trailDays: 30,
      flowLog: 'all',
      flowLogDays: 9,
      flowLogMb: 12,
      joboutputsArchiveUrl: 'https://s.example.org/vac',
      joboutputsArchiveAuthFile: '/token',
      hepscore23PerProcessor: 11,
      shareHalfLifeHours: 72.5,
      imageCacheGb: 200,
      controlGroup: 'vacadmin',
      rootPublicKeyPath: '/k.pub',
      libvirtUri: 'test:///default',
      nfs: 'ganesha',
      fixNetworking: false,
      forwardDev: 'eth0',
      udpTimeoutSeconds: 5,
      queryNetworks: [
        { address: '192.0.2.0', prefix: 24, family: 'ipv4' },
        { address: '2001:db8::1', prefix: 128, family: 'ipv6' },
      ],
      spaceKeyFile: '/etc/vac.space.key',
      spaceKeyMode: 'required',
      vacmonHostports: [{ host: 'm.example.com', port: 8884 }],
      metricsListen: { host: '::', port: 9100 },
      gocdbSitename: 'UKI-SITE',
      accountingFormat: 'apel-v0.4',
      accountingPartial: true,
      accountingInfrastructure: 'cloud',
      syslog: null,
      syslogDays: 7,
      syslogMegabytes: 2,
      syslogRelp: 'no',
      syslogForward: {
        collector: { protocol: 'tls', host: 'logs.example.com', port: 6514 },
        caPath: '/ca.pem',
        certPath: '/cert.pem',
        keyPath: '/key.pem',
        peer: 'collector.example.com',
        maxMegabytes: 5,
      },
      machinefeaturesOptions: { site: 'X' },
      userDataOptions: { p: 'http://a:3128|http://b:3128;DIRECT' },
      userDataFiles: { f: 'file' },
    });
  });

  it('lets later files and lines win, and an empty value take an option back', () => {
    const config = good(
      `${MINIMAL}shutdown_time = 1767225600\nDraining = yes\n`,
      '[machinetype a]\nroot_image = /1\n[settings]\ndraining = no\n[machinetype a]\nroot_image = /2\n',
      '[settings]\nshutdown_time =\n',
    );
    expect(config.settings).toMatchObject({ draining: false, shutdownTimeSeconds: null });
    expect(config.machinetypes).toMatchObject([{ name: 'a', rootImage: '/2' }]);
    expect(config.origins['[settings] draining']).toEqual({ file: '/etc/1.conf', line: 4 });
  });

  it('resolves what machinetypes inherit', () => {
    const { machinetypes } = good(
      `${MINIMAL}disk_gb_per_processor = 30\nswap_mb_per_processor = 5\nuser_data_option_x = 1\nuser_data_option_y = 1\nuser_data_file_z = f\n`,
      `${TYPE}accounting_fqan = /lhcb\nuser_data_option_x = 2\nuser_data_file_y = g\nmax_wallclock_seconds = 1000\n`,
      '[machinetype b]\nroot_image = b.img\nmachinegroup = g\nswap_mb_per_processor = 0\ndisk_gb_per_processor = 1.5\nscratch_device = vdc\nmin_wallclock_seconds = 60',
    );
    expect(machinetypes).toMatchObject([
      {
        machinegroup: '/lhcb',
        diskGbPerProcessor: 30,
        swapMibPerProcessor: 5,
        userDataOptions: { x: '2' },
        userDataFiles: { y: 'g', z: 'f' },
        minWallclockSeconds: 1000,
      },
      {
        machinegroup: 'g',
        diskGbPerProcessor: 1.5,
        swapMibPerProcessor: 0,
        scratchDevice: 'vdc',
        swapDevice: 'vdd',
        minWallclockSeconds: 60,
      },
    ]);
    expect(machinetypes[0]?.userDataOptions).not.toHaveProperty('y');
  });

  it('is frozen all the way down', () => {
    const config = good(MINIMAL, TYPE);
    expect(() => Object.assign(config.settings.factories, ['x'])).toThrow(TypeError);
    expect(() => Object.assign(config.machinetypes[0] ?? {}, { name: 'x' })).toThrow(TypeError);
  });

  it('keeps substitutions with names that JavaScript objects have', () => {
    const { machinetypes } = good(
      `${MINIMAL}user_data_option___proto__ = p\n`,
      `${TYPE}user_data_option_constructor = c\n`,
    );
    expect(Object.entries(machinetypes[0]?.userDataOptions ?? {})).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
    ]);
  });

  it('takes [DEFAULT] for options that a section knows and does not set', () => {
    const config = good(
      `[DEFAULT]\nmax_processors = 4\nvm_model = vm-raw\n${MINIMAL}${TYPE}max_processors = 2\n[machinetype b]\nroot_image = /b`,
    );
    expect(config.machinetypes).toMatchObject([
      { maxProcessors: 2, machineModel: 'vm-raw' },
      { maxProcessors: 4, machineModel: 'vm-raw' },
    ]);
  });
});

describe('vacuum pipes', () => {
  it('keep their options as checked text, with what local sections say', () => {
    const config = good(
      MINIMAL,
      '[vacuum_pipe lhcb]\nvacuum_pipe_url = https://x.example/pipe\ntarget_share = 3\nvcpu_per_machine = 4\nuser_data_option_p = q\n',
      '[machinetype lhcb-prod]\nbackoff_seconds = 60\n[machinetype lhcb-test]\nroot_image = /t\n[machinetype lhcbx]\nroot_image = /x',
    );
    expect(config.vacuumPipes).toEqual([
      {
        prefix: 'lhcb',
        url: 'https://x.example/pipe',
        targetShare: 3,
        options: { min_processors: '4', max_processors: '4', user_data_option_p: 'q' },
        localOptions: { 'lhcb-prod': { backoff_seconds: '60' }, 'lhcb-test': { root_image: '/t' } },
      },
    ]);
    expect(config.machinetypes.map(({ name }) => name)).toEqual(['lhcb-test', 'lhcbx']);
  });

  it('are checked by the same table', () => {
    expect(
      errorsOf(
        MINIMAL,
        '[vacuum_pipe lhcb]\ntarget_share = -1\nmax_processors = x\n[machinetype lhcb-prod]\nbackoff_seconds = soon\n[machinetype lhcb]\nroot_image = /i',
      ),
    ).toEqual([
      '/etc/1.conf:1: [vacuum_pipe lhcb] vacuum_pipe_url: is required; give a URL that begins with http:// or https://',
      '/etc/1.conf:1: [vacuum_pipe lhcb] there is also a [machinetype lhcb]; a machinetype and a pipe need different names',
      '/etc/1.conf:2: [vacuum_pipe lhcb] target_share = "-1": expected a number from 0 to 1000000000',
      '/etc/1.conf:3: [vacuum_pipe lhcb] max_processors = "x": expected a whole number from 1 to 1024',
      '/etc/1.conf:5: [machinetype lhcb-prod] backoff_seconds = "soon": expected a whole number from 0 to 31622400',
    ]);
  });

  it('may set the options that the pipe format lists', () => {
    expect(pipeOptionNames().sort()).toEqual(
      (
        'accounting_fqan backoff_seconds container_command cvmfs_repositories fizzle_seconds disk_gb_per_processor ' +
        'heartbeat_file heartbeat_seconds image_signing_dn legacy_proxy machine_model max_processors max_wallclock_seconds ' +
        'min_processors min_wallclock_seconds root_device root_image scratch_device target_share tmp_binds user_data ' +
        'user_data_proxy user_data_option_XXX user_data_file_XXX'
      )
        .split(' ')
        .sort(),
    );
  });
});

describe('errors', () => {
  it('come all at once, in the order of files and lines', () => {
    expect(
      errorsOf(
        'stray = 1\n[settings]\nudp_timeout_seconds = soon\n[machinetype lhcb-prod]\nmax_processors = eigth\nroot_image = ../x\n',
        '[Settings]\n[machinetyp a]\n[machinetype A_b]\n[machinetype]\n[targetshares]\n[zzz]\n',
        '[settings]\ntotal_procesors = 4\nfrobnicate = 1\nuser_data_option_a-b = 1\n[machinetype b]\nmax-processors = 3\nnonsense',
      ),
    ).toEqual([
      '/etc/0.conf:1: the line "stray = 1" stands before any section; put a line such as [settings] above it',
      '/etc/0.conf:3: [settings] udp_timeout_seconds = "soon": expected a number from 0.1 to 300',
      '/etc/0.conf:5: [machinetype lhcb-prod] max_processors = "eigth": expected a whole number from 1 to 1024',
      '/etc/0.conf:6: [machinetype lhcb-prod] root_image = "../x": expected an http(s):// or file:/// URL (docker:// for containers), a path that begins with /, or a file name under the machinetype\'s files/ (without ..)',
      '/etc/1.conf:1: [Settings] unknown section; did you mean [settings]?',
      '/etc/1.conf:2: [machinetyp a] unknown section; did you mean [machinetype a]?',
      '/etc/1.conf:3: [machinetype A_b] the section needs a name of letters a-z, digits and "-", as in [machinetype my-name]',
      '/etc/1.conf:4: [machinetype] the section needs a name of letters a-z, digits and "-", as in [machinetype my-name]',
      '/etc/1.conf:5: [targetshares] this section is no longer read; set target_share in each [machinetype NAME]',
      '/etc/1.conf:6: [zzz] unknown section; the sections are [settings], [machinetype NAME], [vacuum_pipe PREFIX] and [overnight]',
      '/etc/2.conf:1: [settings] vac_space: is required; give a fully qualified domain name such as vac01.example.com',
      '/etc/2.conf:2: [settings] total_procesors: unknown option; did you mean total_processors?',
      '/etc/2.conf:3: [settings] frobnicate: unknown option; see vac.conf(5) for all options',
      '/etc/2.conf:4: [settings] user_data_option_a-b: what follows user_data_option_ must be of letters a-z, digits and "_", and not empty',
      "/etc/2.conf:5: [machinetype b] root_image: is required; give an http(s):// or file:/// URL (docker:// for containers), a path that begins with /, or a file name under the machinetype's files/ (without ..)",
      '/etc/2.conf:6: [machinetype b] max-processors: unknown option; did you mean max_processors?',
      '/etc/2.conf:7: the line "nonsense" is neither a [section] nor "option = value", nor does it continue the line above by an indent',
    ]);
  });

  it('carry their parts', () => {
    const result = load(MINIMAL, '[machinetype a]\nroot_image = /a\nmax_processors = x');
    expect(result.ok ? [] : result.errors).toEqual([
      {
        file: '/etc/1.conf',
        line: 3,
        section: 'machinetype a',
        option: 'max_processors',
        given: 'x',
        expected: 'a whole number from 1 to 1024',
        message: 'expected a whole number from 1 to 1024',
      },
    ]);
  });

  it('say when [settings] is missing, and still check the rest', () => {
    expect(errorsOf('[machinetype a]\nmax_processors = 0\nroot_image = /a')).toEqual([
      '/etc/0.conf: [settings] this required section is missing',
      '/etc/0.conf:2: [machinetype a] max_processors = "0": expected a whole number from 1 to 1024',
    ]);
  });

  it('name the habits of other formats', () => {
    const text = '[settings]\nvac_space = "vac01.example.com"\ndraining = yes # for the weekend\nsyslog = \'x\'';
    expect(errorsOf(text)).toEqual([
      '/etc/0.conf:2: [settings] vac_space = ""vac01.example.com"": expected a fully qualified domain name such as vac01.example.com (without quotes)',
      '/etc/0.conf:3: [settings] draining = "yes # for the weekend": expected yes or no (or true/false, on/off, 1/0) (a comment needs a line of its own)',
      '/etc/0.conf:4: [settings] syslog = "\'x\'": expected host:port with a port from 1 to 65535, or nothing',
    ]);
  });

  const crossChecks: [text: string, error: string][] = [
    [
      'min_processors = 4\nmax_processors = 2',
      '5: [machinetype a] min_processors = "4": min_processors is 4 but max_processors only 2; raise max_processors or lower min_processors',
    ],
    [
      'min_wallclock_seconds = 100000',
      '5: [machinetype a] min_wallclock_seconds = "100000": min_wallclock_seconds is 100000 but max_wallclock_seconds only 86400',
    ],
    [
      'heartbeat_seconds = 60',
      '5: [machinetype a] heartbeat_seconds = "60": needs heartbeat_file, the name of the file in joboutputs whose age it limits',
    ],
    [
      'scratch_device = vda',
      '5: [machinetype a] scratch_device = "vda": root_device and scratch_device are both vda; give each disk a device of its own',
    ],
    [
      'swap_device = vda',
      '5: [machinetype a] swap_device = "vda": swap_device is vda, which is another disk already; give each disk a device of its own',
    ],
    [
      'disk_bus = sata',
      '5: [machinetype a] disk_bus = "sata": disk_bus = sata needs devices named sda, sdb and so on, and there is vda',
    ],
    [
      'disk_bus = ide\nroot_device = hda\nscratch_device = hdb\nmachine_type = q35',
      '5: [machinetype a] disk_bus = "ide": disk_bus = ide needs machine_type = pc: q35 has no IDE',
    ],
    [
      'root_disk_gb = 30\nmachine_model = cernvm3',
      '5: [machinetype a] root_disk_gb = "30": machine_model cernvm3 has no root disk; disk_gb_per_processor is the size of its disk',
    ],
    [
      'root_image = docker://a',
      '5: [machinetype a] root_image = "docker://a": a docker:// image needs machine_model docker or singularity',
    ],
  ];
  it.each(crossChecks)('between options: %s', (text, error) => {
    expect(errorsOf(MINIMAL, `${TYPE}${text}`)).toEqual([`/etc/1.conf:${error}`]);
  });

  it('come for more slots than the private network has addresses for', () => {
    const withSlots = (slots: number) => errorsOf(`${MINIMAL}total_processors = ${slots}\n`, TYPE);
    expect(withSlots(MAX_SLOTS)).toEqual([]);
    expect(withSlots(MAX_SLOTS + 1)).toEqual([
      `/etc/0.conf:3: [settings] total_processors = "${MAX_SLOTS + 1}": expected a whole number from 1 to ${MAX_SLOTS}`,
    ]);
  });

  it('do not follow from an option that is bad itself', () => {
    expect(errorsOf(MINIMAL, `${TYPE}min_processors = 4\nmax_processors = eigth`)).toHaveLength(1);
    expect(errorsOf(MINIMAL, `${TYPE}heartbeat_seconds = 60\nheartbeat_file = a/b`)).toHaveLength(1);
  });
});

describe('the settings alone', () => {
  const settings = (text: string) => loadSettings([{ path: '/etc/vac.conf', text }], HOST);

  it.each([
    ['a bad machinetype', '[machinetype a]\nmax_processors = x\n'],
    ['an unknown section', '[machinetpye a]\nx = 1\n'],
  ])('can be read beside %s', (_, text) => {
    expect(load(MINIMAL + text).ok).toBe(false);
    expect(settings(`${MINIMAL}factories = .\n${text}`)).toMatchObject({
      vacSpace: 'vac01.example.com',
      factories: ['node1.example.com'],
    });
  });

  it.each([
    ['when they are bad themselves', `${MINIMAL}udp_timeout_seconds = x\n`],
    ['when they have an unknown option', `${MINIMAL}colour = red\n`],
    ['when there are none', TYPE],
    ['when a line may be meant for them', `${MINIMAL}factories\n`],
  ])('cannot be read %s', (_, text) => {
    expect(settings(text)).toBeNull();
  });
});

describe('warnings', () => {
  const cases: [name: string, texts: string[], warnings: string[]][] = [
    [
      'this host is not among the factories',
      [`${MINIMAL}factories = a.example.com\n`, TYPE],
      [
        '/etc/0.conf:3: [settings] factories = "a.example.com": does not name this host, node1.example.com; other factories of the space will not know about its machines',
      ],
    ],
    [
      'no machinetypes',
      [MINIMAL],
      ['/etc/0.conf:1: no machine will ever start: there is no [machinetype NAME] section'],
    ],
    [
      'no shares',
      [MINIMAL, '[machinetype a]\nroot_image = /a\nmachine_model = vm-raw'],
      ['/etc/0.conf:1: no machine will ever start: target_share is 0 in all machinetypes and pipes'],
    ],
    [
      'a machinetype too large for the factory',
      [`${MINIMAL}total_processors = 4\n`, `${TYPE}min_processors = 8\nmax_processors = 8`],
      [
        '/etc/1.conf:5: [machinetype a] min_processors = "8": no machine of this type can start here: it needs 8 processors, and total_processors is 4',
      ],
    ],
    [
      'a machinetype too large for the superslots',
      [`${MINIMAL}processors_per_superslot = 4\n`, `${TYPE}min_processors = 8\nmax_processors = 8`],
      [
        '/etc/1.conf:5: [machinetype a] min_processors = "8": no machine of this type can start here: it needs 8 processors, and processors_per_superslot is 4',
      ],
    ],
    [
      'superslots larger than the factory',
      [`${MINIMAL}total_processors = 4\nprocessors_per_superslot = 8\n`, TYPE],
      [
        '/etc/0.conf:4: [settings] processors_per_superslot = "8": no superslot can ever be filled: processors_per_superslot is 8, and total_processors is 4',
      ],
    ],
    [
      'processors outside superslots',
      [`${MINIMAL}total_processors = 10\nprocessors_per_superslot = 8\n`, TYPE],
      [
        '/etc/0.conf:3: [settings] total_processors = "10": total_processors is no multiple of processors_per_superslot: 2 of 10 processors are in no complete superslot',
      ],
    ],
    [
      'accounting that is not sent',
      [`${MINIMAL}gocdb_sitename = X\n`, TYPE],
      [
        '/etc/0.conf:3: [settings] gocdb_sitename = "X": accounting records are only archived, not sent, until hs06_per_processor or hepscore23_per_processor is set too',
      ],
    ],
    [
      'a secret that goes in clear',
      [`${MINIMAL}joboutputs_archive_url = http://a/b\njoboutputs_archive_auth_file = /root/a\n`, TYPE],
      [
        '/etc/0.conf:3: [settings] joboutputs_archive_url = "http://a/b": the secret of joboutputs_archive_auth_file goes over the network in clear: use https',
      ],
    ],
    [
      'a proxy that goes nowhere',
      [MINIMAL, `${TYPE}user_data_proxy = true`],
      [
        '/etc/1.conf:5: [machinetype a] user_data_proxy = "true": no machine gets its proxy: there is no user_data for it to go into',
      ],
    ],
    [
      'the form of a proxy that is not made',
      [MINIMAL, `${TYPE}user_data = u\nlegacy_proxy = true`],
      [
        '/etc/1.conf:6: [machinetype a] legacy_proxy = "true": no proxy is made: that takes user_data_proxy = true as well',
      ],
    ],
    [
      'fizzles only',
      [MINIMAL, `${TYPE}max_wallclock_seconds = 600`],
      [
        '/etc/1.conf:5: [machinetype a] max_wallclock_seconds = "600": every machine will count as one that found no work: fizzle_seconds (600) is not below max_wallclock_seconds (600)',
      ],
    ],
  ];
  it.each(cases)('%s', (_name, texts, warnings) => {
    expect(load(...texts).ok).toBe(true);
    expect(warningsOf(...texts)).toEqual(warnings);
  });

  it('accept deprecated spellings, once each, naming the new ones', () => {
    const settings = `${MINIMAL}cpu_total = 8\noverload_per_cpu = 2\nscratch_gb = 25\nmb_per_cpu = 1000\nhs06_per_cpu = 9\ncpu_per_machine = 4\nrootpublickey = /k\n`;
    const type =
      '[vmtype a]\nroot_image = /a\ntarget_share = 1\nvm_model = vm-raw\nvcpu_per_machine = 2\nmachineoutputs_days = 5\ncernvm_signing_dn = CN=x\ndisk_gb_per_cpu = 7\n';
    const config = good(settings, type);
    expect(config.settings).toMatchObject({
      totalProcessors: 8,
      overloadPerProcessor: 2,
      diskGbPerProcessor: 25,
      mibPerProcessor: 1000,
      hs06PerProcessor: 9,
      processorsPerSuperslot: 4,
      rootPublicKeyPath: '/k',
    });
    expect(config.machinetypes).toMatchObject([
      {
        name: 'a',
        machineModel: 'vm-raw',
        minProcessors: 2,
        maxProcessors: 2,
        machinesDirDays: 5,
        imageSigningDn: 'CN=x',
        diskGbPerProcessor: 7,
      },
    ]);
    expect(warningsOf(settings, type)).toEqual([
      '/etc/0.conf:3: [settings] cpu_total: is deprecated; write total_processors',
      '/etc/0.conf:4: [settings] overload_per_cpu: is deprecated; write overload_per_processor',
      '/etc/0.conf:5: [settings] scratch_gb: is deprecated; write disk_gb_per_processor',
      '/etc/0.conf:6: [settings] mb_per_cpu: is deprecated; write mb_per_processor',
      '/etc/0.conf:7: [settings] hs06_per_cpu: is deprecated; write hs06_per_processor',
      '/etc/0.conf:8: [settings] cpu_per_machine: is deprecated; write processors_per_superslot',
      '/etc/0.conf:9: [settings] rootpublickey: is deprecated; write root_public_key',
      '/etc/1.conf:1: [vmtype a] [vmtype …] is deprecated; write [machinetype a]',
      '/etc/1.conf:4: [vmtype a] vm_model: is deprecated; write machine_model',
      '/etc/1.conf:5: [vmtype a] vcpu_per_machine: is deprecated; write min_processors and max_processors',
      '/etc/1.conf:6: [vmtype a] machineoutputs_days: is deprecated; write machines_dir_days',
      '/etc/1.conf:7: [vmtype a] cernvm_signing_dn: is deprecated; write image_signing_dn',
      '/etc/1.conf:8: [vmtype a] disk_gb_per_cpu: is deprecated; write disk_gb_per_processor',
    ]);
  });

  it('let the later of an old and a new spelling win', () => {
    expect(good(`${MINIMAL}cpu_total = 8\ntotal_processors = 4\n`).settings.totalProcessors).toBe(4);
    expect(good(`${MINIMAL}total_processors = 4\ncpu_total = 8\n`).settings.totalProcessors).toBe(8);
    const both = `${MINIMAL}[vmtype a]\nroot_image = /1\n[machinetype a]\nroot_image = /2\n[vmtype a]\nroot_image = /3\n`;
    expect(good(both).machinetypes).toMatchObject([{ rootImage: '/3' }]);
  });

  it('say what became of options that have no use any more', () => {
    expect(warningsOf(`${MINIMAL}version_logger = 1\n`, `${TYPE}rootpublickey = /k`)).toEqual([
      '/etc/0.conf:3: [settings] version_logger: is no longer used, as no version is reported to anyone; remove it',
      '/etc/1.conf:5: [machinetype a] rootpublickey: is no longer an option of a machinetype; use root_public_key in [settings]',
    ]);
  });
});

describe('messages', () => {
  it('stay on one short line, whatever the value', () => {
    const [error = ''] = errorsOf(MINIMAL, `${TYPE}user_data = \u001b[31m${'x'.repeat(5000)}\n  y`);
    expect(error).toMatch(/^[^\p{Cc}]{1,400}$/u);
    expect(error).toContain('user_data = "\\x1b[31mxxx');
  });
});

describe('any text', () => {
  const word = fc.constantFrom(
    '[settings]',
    '[machinetype a]',
    '[vacuum_pipe p]',
    '[DEFAULT]',
    'vac_space',
    'max_processors',
    '__proto__',
  );
  const rest = fc.oneof(fc.constantFrom('=', '= 1', ': a.b', '= yes'), fc.string({ unit: 'binary', maxLength: 12 }));
  const text = fc.array(
    fc.oneof(
      fc.tuple(word, rest).map((pair) => pair.join(' ')),
      word,
      rest,
    ),
    { maxLength: 15 },
  );

  it('gives a result with sound problems, never an exception', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), (files) => {
        const result = load(...files.map((lines) => lines.join('\n')));
        if (!result.ok) expect(result.errors.length).toBeGreaterThan(0);
        for (const problem of [...(result.ok ? [] : result.errors), ...result.warnings]) {
          expect(formatProblem(problem)).toMatch(/^[^\p{Cc}\u2028\u2029]+$/u);
          expect(problem.line ?? 1).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('of bytes too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(typeof loadConfig([{ path: '/x', text: bytes }], HOST).ok).toBe('boolean');
      }),
    );
  });
});
