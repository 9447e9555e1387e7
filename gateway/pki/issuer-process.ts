// The process that holds the authorities' keys. It listens to nothing but the gateway that started it, has a policy of
// its own, and ends with that gateway.
import process from 'node:process';
import { IssuerService, type IssuerSettings } from './issuer-service.ts';
import { told } from './told-error.ts';

/** How often intermediates are looked after, in milliseconds. */
const UPKEEP_INTERVAL = 3_600_000;

interface Question {
  readonly id: number;
  readonly operation: string;
  readonly wish?: unknown;
}

type Operations = Readonly<Record<string, ((wish: unknown) => unknown) | undefined>>;

function answer(message: object): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

function serve(settings: IssuerSettings): void {
  const service = new IssuerService(settings, Date.now);
  const operations: Operations = {
    adopt: (wish) => service.adopt(wish as never),
    open: () => service.open(),
    offer: (wish) => service.offer(wish as never),
    server: (wish) => service.server(wish as never),
    peer: (wish) => service.peer(wish as never),
    client: (wish) => service.client(wish as never),
    crl: (wish) => service.crl(wish as never),
    rotate: (wish) => service.rotate(wish as never),
    request: (wish) => service.request(wish as never),
    install: (wish) => service.install(wish as never),
    ssh: (wish) => service.ssh(wish as never),
    sshKeys: () => service.sshKeys(),
    sshKeep: (wish) => service.sshKeep(wish as never),
  };
  process.on('message', async ({ id, operation, wish }: Question) => {
    try {
      const work = operations[operation];
      if (work === undefined) throw new Error(`there is no operation ${operation}`);
      answer({ id, value: await work(wish) });
    } catch (error) {
      answer({ id, error: told(error) });
    }
  });
  setInterval(() => {
    service.upkeep().then(
      (changed) => {
        if (Object.keys(changed).length > 0) answer({ changed });
      },
      (error: unknown) => answer({ failed: told(error) }),
    );
  }, UPKEEP_INTERVAL);
}

// The gateway stops this process when it stops; a signal to the whole group must not do that before.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => process.exit(0));
process.once('message', (settings: IssuerSettings) => serve(settings));
