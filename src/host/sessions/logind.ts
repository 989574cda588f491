/** Who is logged in, where, and whether screens are locked, by systemd-logind. Events as well as looks now and then. */

import type { Sensed } from '../../factory/overnight-types.js';
import { AskingSensor, known, NOT_YET } from './sensor.js';
import { isAbsent, type SystemBus } from './system-bus.js';

/** Events come at once; this is for those that were lost. */
const LOOK_MS = 30_000;
/** Signals come in bursts. */
const GATHER_MS = 50;

const SERVICE = 'org.freedesktop.login1';
const MANAGER = 'org.freedesktop.login1.Manager';

export interface LoginSession {
  readonly id: string;
  readonly user: string;
  readonly uid: number;
  /** Empty for sessions without one, as remote ones are. */
  readonly seat: string;
  readonly isRemote: boolean;
  /** Where from; empty where it is not told. */
  readonly remoteHost: string;
  /** The one that its seat shows. */
  readonly isActive: boolean;
  readonly isLocked: boolean;
}

export interface Logins {
  readonly sessions: readonly LoginSession[];
  readonly lidClosed: boolean | null;
  readonly onMains: boolean | null;
}

export class LogindSensor extends AskingSensor<Sensed<Logins>> {
  private endWatch = () => {};
  private gathering: NodeJS.Timeout | null = null;

  constructor(private readonly bus: SystemBus) {
    super(NOT_YET, LOOK_MS);
  }

  override start(changed: () => void): void {
    super.start(changed);
    this.endWatch = this.bus.watch(SERVICE, () => {
      this.gathering ??= setTimeout(() => {
        this.gathering = null;
        void this.looks.now();
      }, GATHER_MS);
    });
  }

  override close(): void {
    super.close();
    this.endWatch();
    if (this.gathering !== null) clearTimeout(this.gathering);
  }

  protected async ask(): Promise<Sensed<Logins>> {
    try {
      return known(await this.logins());
    } catch (error) {
      return {
        unknown: isAbsent(error) ? 'this host has no systemd-logind' : `systemd-logind: ${(error as Error).message}`,
      };
    }
  }

  private async logins(): Promise<Logins> {
    const [listed] = (await this.bus.call(SERVICE, '/org/freedesktop/login1', MANAGER, 'ListSessions')) as [
      unknown[][],
    ];
    const manager = await this.bus.properties(SERVICE, '/org/freedesktop/login1', MANAGER);
    const sessions: LoginSession[] = [];
    for (const [id, uid, user, seat, path] of listed as [string, number, string, string, string][]) {
      // One that ends just now is none any more.
      const properties = await this.bus
        .properties(SERVICE, path, 'org.freedesktop.login1.Session')
        .catch((error: Error) => {
          if (/No session|Unknown object|UnknownObject/.test(error.message)) return null;
          throw error;
        });
      // A greeter is the host's own; a session that is closing has nobody in front of it.
      if (properties === null || properties.get('Class') !== 'user' || properties.get('State') === 'closing') continue;
      sessions.push({
        id,
        user,
        uid,
        seat,
        isRemote: properties.get('Remote') === true,
        remoteHost: String(properties.get('RemoteHost') ?? ''),
        isActive: properties.get('Active') === true,
        isLocked: properties.get('LockedHint') === true,
      });
    }
    return {
      sessions,
      lidClosed: booleanOf(manager.get('LidClosed')),
      onMains: booleanOf(manager.get('OnExternalPower')),
    };
  }
}

function booleanOf(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}
